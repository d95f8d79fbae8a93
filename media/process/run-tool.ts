import { execFile } from 'node:child_process';
import { MediaError } from '../errors.ts';
import { redactUrls } from '../log.ts';

const OUTPUT_LIMIT_BYTES = 1_000_000;

/**
 * Runs a small outside program and returns what it printed, whatever its exit code. It is killed at the deadline.
 * @throws MediaError `tool-missing`, `timeout`, `cancelled`, `too-large` (over 1 MB of output)
 */
export function runTool(
  program: string,
  args: readonly string[],
  options: { deadlineMs: number; signal?: AbortSignal },
): Promise<{ stdout: string; stderr: string; ok: boolean }> {
  const { deadlineMs, signal } = options;
  const settings = {
    timeout: deadlineMs,
    killSignal: 'SIGKILL' as const,
    maxBuffer: OUTPUT_LIMIT_BYTES,
    ...(signal ? { signal } : {}),
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, settings, (error, stdout, stderr) => {
      if (!error || typeof error.code === 'number') {
        resolve({ stdout, stderr: redactUrls(stderr), ok: !error });
      } else if (signal?.aborted) {
        reject(new MediaError('cancelled', `${program} was cancelled`));
      } else if (error.code === 'ENOENT' || error.code === 'EACCES') {
        reject(new MediaError('tool-missing', `${program} is not installed`));
      } else if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
        reject(new MediaError('too-large', `${program} printed more than ${OUTPUT_LIMIT_BYTES} bytes`));
      } else {
        reject(new MediaError('timeout', `${program} did not finish in ${deadlineMs} ms`));
      }
    });
  });
}
