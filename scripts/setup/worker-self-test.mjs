import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashFiles, writeStamp } from './stamp.mjs';
import { cacheRoot, nodeBin, projectRoot } from './paths.mjs';
import { runCommand } from './run-command.mjs';
import { workerBin } from './worker.mjs';

/** @import { Step } from './progress.mjs' */

/**
 * The step that proves the worker by a real ICE and DTLS handshake, once for each binary: a worker that starts can still die
 * at its first call (scripts/worker/README.md).
 * @type {Step}
 */
export const workerSelfTestStep = {
  name: 'worker self-test',
  title: '媒体进程自检',
  isDone: () => existsSync(workerBin()) && existsSync(passedFile()),
  async run(report) {
    report('ICE and DTLS handshake');
    const lines = /** @type {string[]} */ ([]);
    await runCommand(nodeBin, [join(projectRoot, 'scripts/worker/self-test.ts'), workerBin()], {
      cwd: projectRoot,
      onLine: (line) => void lines.push(line),
    });
    writeStamp(passedFile(), new Date().toISOString());
    return lines.at(-1) ?? 'passed';
  },
};

/** Named by the binary's content, so that it speaks for that very binary, wherever it lies. */
function passedFile() {
  const bin = workerBin();
  return join(cacheRoot(process.env), 'mediasoup-worker/self-tested', hashFiles(dirname(bin), [bin]));
}
