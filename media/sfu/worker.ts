import { spawn } from 'node:child_process';
import * as mediasoup from 'mediasoup';
import { MediaError } from '../errors.ts';

// The worker's own answer to being started by hand, without MEDIASOUP_VERSION (mediasoup's worker/src/main.cpp).
const bareStartExitCode = 41;
const startTimeoutMs = 5000;

/**
 * The media worker's program: the one that the set-up prepared and named in MEDIASOUP_WORKER_BIN, else where mediasoup's own
 * install script would have put it. The file need not exist: `checkWorker` tells.
 */
export function workerBinPath(env: NodeJS.ProcessEnv): string {
  return env.MEDIASOUP_WORKER_BIN || mediasoup.workerBin;
}

/**
 * Starts the worker's program for a moment (some 10 ms) to see that it is there and runs on this system. Opens no socket.
 * That it can carry a call is what the self-test shows (worker-self-test.ts).
 * @returns the version of mediasoup that drives it
 * @throws MediaError `tool-missing` if it is not there, may not be run, or lacks a library; `timeout` if it hangs
 */
export async function checkWorker(bin: string): Promise<{ version: string }> {
  const { code, signal, stderr } = await startBare(bin);
  if (code !== bareStartExitCode) {
    const how = signal ? `was ended by ${signal}` : `answered exit code ${code}`;
    throw new MediaError(
      'tool-missing',
      `The media worker ${bin} does not run on this system: it ${how}. ${stderr}`,
      { bin },
    );
  }
  return { version: mediasoup.version };
}

interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

function startBare(bin: string): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(bin, [], { env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, startTimeoutMs);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, 500);
    });
    child.on('error', (cause) => {
      clearTimeout(timer);
      const reason = `The media worker ${bin} cannot be started: ${cause.message}`;
      reject(new MediaError('tool-missing', reason, { bin }, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (isLate) {
        reject(new MediaError('timeout', `The media worker ${bin} hung for ${startTimeoutMs} ms.`, { bin }));
      } else {
        resolve({ code, signal, stderr: stderr.trim() });
      }
    });
  });
}
