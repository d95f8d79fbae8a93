/**
 * @typedef {(text: string) => void} Report says what a step is doing now, in a few words
 *
 * @typedef {object} Step one part of the set-up; safe to repeat
 * @property {string} name in English
 * @property {string} title the same in Chinese
 * @property {() => boolean | Promise<boolean>} isDone quick (tens of milliseconds), changes nothing
 * @property {(report: Report) => Promise<string>} run does it, and answers with what was done
 */

const repaintMs = 1000;
// Where nothing can be repainted (a log file, CI), an unchanged kind of progress is told this often.
const logLineMs = 15_000;

/**
 * Runs the steps that are not done, in order, telling on `out` what happens and for how long. Says nothing at all when
 * there is nothing to do, unless `isVerbose`.
 * @param {Step[]} steps
 * @param {{ out?: NodeJS.WriteStream, isVerbose?: boolean }} [options]
 */
export async function runSteps(steps, options = {}) {
  const { out = process.stderr, isVerbose = false } = options;
  const startedAt = Date.now();
  let ranCount = 0;
  for (const [index, step] of steps.entries()) {
    const label = `[${index + 1}/${steps.length}] ${step.name} ${step.title}`;
    if (await step.isDone()) {
      if (isVerbose) out.write(`${label}: ready\n`);
      continue;
    }
    ranCount += 1;
    await runStep(step, label, out);
  }
  if (ranCount > 0 || isVerbose) out.write(`Set-up 安装准备: ready after ${seconds(startedAt)}\n`);
}

/**
 * @param {Step} step
 * @param {string} label
 * @param {NodeJS.WriteStream} out
 */
async function runStep(step, label, out) {
  const startedAt = Date.now();
  const line = progressLine(out);
  let text = 'starting';
  const repaint = () => line.show(`${label}: ${text} … ${seconds(startedAt)}`);
  repaint();
  const timer = setInterval(repaint, repaintMs);
  try {
    const outcome = await step.run((now) => {
      text = now;
      repaint();
    });
    line.end(`${label}: ${outcome} (${seconds(startedAt)})`);
  } catch (error) {
    line.end(`${label}: FAILED 失败 (${seconds(startedAt)})`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** @param {NodeJS.WriteStream} out */
function progressLine(out) {
  let shownAt = 0;
  return {
    /** @param {string} text */
    show(text) {
      if (out.isTTY) {
        out.write(`\r\x1b[2K${text.slice(0, Math.max(20, out.columns - 8))}`);
      } else if (Date.now() - shownAt >= logLineMs) {
        shownAt = Date.now();
        out.write(`${text}\n`);
      }
    },
    /** @param {string} text */
    end(text) {
      out.write(out.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
    },
  };
}

/** @param {number} startedAt */
function seconds(startedAt) {
  return `${Math.round((Date.now() - startedAt) / 1000)} s`;
}
