import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A set-up failure a person can act on: the message says what is wrong and what to type; no stack is shown. */
export class SetupError extends Error {}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Ends what the set-up has started, for when the set-up itself is told to stop. */
export function stopRunning() {
  for (const child of running) stop(child);
}

/** @param {import('node:child_process').ChildProcess} child */
function stop(child) {
  try {
    // Each child leads its own process group: a compiler's children must end with it.
    if (child.pid) process.kill(-child.pid, 'SIGTERM');
  } catch (error) {
    // ESRCH: it ended by itself a moment ago, which is what was wanted.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * Runs a program to its end without a shell, with no input.
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {number} [options.timeoutMs] none: it may take as long as it likes
 * @param {(line: string) => boolean | void} [options.onLine] gets each line of both outputs; true: it was progress, not worth
 *   showing when the program fails
 * @returns {Promise<void>}
 * @throws SetupError with the first and last lines that the program wrote, if it cannot start, fails or takes too long
 */
export function runCommand(command, args, options = {}) {
  const { cwd, env = process.env, timeoutMs, onLine = () => false } = options;
  const shown = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const kept = keepEnds();
    let isLate = false;
    const timer =
      timeoutMs &&
      setTimeout(() => {
        isLate = true;
        stop(child);
      }, timeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (onLine(line) === true || line.trim() === '') return;
        kept.add(line);
      });
    }
    /** @param {string} reason */
    const fail = (reason) => reject(new SetupError([`${shown}: ${reason}`, ...kept.lines()].join('\n')));
    child.on('error', (error) => {
      running.delete(child);
      clearTimeout(timer);
      fail(error.message);
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      clearTimeout(timer);
      if (isLate) fail(`stopped after ${(timeoutMs ?? 0) / 1000} s`);
      else if (code !== 0) fail(signal ? `ended by ${signal}` : `failed with exit code ${code}`);
      else resolve();
    });
  });
}

/** Of a long output, the first lines (npm says there what is wrong) and the last (a compiler does there). */
function keepEnds() {
  /** @type {string[]} */
  const first = [];
  /** @type {string[]} */
  const last = [];
  let leftOut = 0;
  return {
    /** @param {string} line */
    add(line) {
      if (first.length < 15) {
        first.push(line);
        return;
      }
      last.push(line);
      if (last.length > 30) {
        last.shift();
        leftOut += 1;
      }
    },
    lines: () => (leftOut === 0 ? [...first, ...last] : [...first, `… ${leftOut} lines left out …`, ...last]),
  };
}
