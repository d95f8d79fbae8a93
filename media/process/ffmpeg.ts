import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import createCommand, { type FfmpegCommand } from 'fluent-ffmpeg';
import { MediaError } from '../errors.ts';
import { redactUrls, type Log } from '../log.ts';

/** One input (`-i`) or output of a command. Options are single arguments in order: `['-c', 'copy']`. */
export interface FfmpegInput {
  source: string | Readable;
  options?: readonly string[];
}
export interface FfmpegOutput {
  target: string | Writable;
  options?: readonly string[];
}

/** One ffmpeg command. At most one input and one output may be a stream. */
export interface FfmpegSpec {
  inputs: readonly FfmpegInput[];
  outputs: readonly FfmpegOutput[];
}

/** One report of `-progress`, every two seconds and at the end. Unknown values are left out. */
export interface FfmpegProgress {
  /** Video frames written so far. */
  frames?: number;
  /** End of the newest packet; with `-copyts` it counts from the first report, not from the output's start. */
  outTimeMs?: number;
  sizeBytes?: number;
}

export interface FfmpegOptions {
  /** Ends the command with TERM, then KILL; `done` then rejects with `cancelled`. */
  signal?: AbortSignal;
  /** Ends a command that runs longer, with `timeout`. Leave out only for commands that should run for ever. */
  deadlineMs?: number;
  onProgress?: (progress: FfmpegProgress) => void;
  /** Lines on stdout that are not progress, such as a segment list on `pipe:1`. Not with a stream output. */
  onLine?: (line: string) => void;
  log: Log;
}

/** How a command ended. The exit code says little (a stalled camera ends with 0): judge by what was written. */
export interface FfmpegEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines ffmpeg wrote about what went wrong, without passwords. */
  stderr: string[];
  /** The arguments, without passwords, to keep beside a result. */
  arguments: string[];
  elapsedMs: number;
}

/** A command under way. */
export interface FfmpegProcess {
  /** Undefined until the process runs. */
  pid(): number | undefined;
  /** Resolves when the process is gone. @throws MediaError `tool-missing`, `timeout`, `cancelled`, `internal` */
  done: Promise<FfmpegEnd>;
  /** Asks ffmpeg to finish its files (TERM), kills it if that takes too long, and waits. Safe to repeat. */
  stop(): Promise<void>;
}

const KILL_AFTER_MS = 5_000;
const STDERR_LINES = 40;
const STDERR_LINE_LENGTH = 400;
const STDOUT_LINE_LENGTH = 4_096;
const CHILD = fileURLToPath(new URL('ffmpeg-child.sh', import.meta.url));

/** fluent-ffmpeg sets this between its `start` and its last event; its types leave it out. */
type Running = FfmpegCommand & { ffmpegProc?: ChildProcess };

/**
 * Starts an ffmpeg command built by fluent-ffmpeg (the only place that touches that package). The process ends with its
 * parent, even on kill -9. The password part of URLs is redacted in everything that comes back.
 */
export function startFfmpeg(spec: FfmpegSpec, options: FfmpegOptions): FfmpegProcess {
  const hasStreamOutput = spec.outputs.some((output) => typeof output.target !== 'string');
  const command = build(spec, hasStreamOutput) as Running;
  const startedAt = performance.now();
  const stderr: string[] = [];
  let child: ChildProcess | undefined;
  let stopCause: MediaError | 'asked' | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  let args: string[] = [];

  const end = (cause: MediaError | 'asked') => {
    stopCause ??= cause;
    if (!child || killTimer) return; // not spawned yet: the start event ends it
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child?.kill('SIGKILL'), KILL_AFTER_MS);
  };
  const onAbort = () => end(new MediaError('cancelled', 'ffmpeg was cancelled'));
  const deadline =
    options.deadlineMs === undefined
      ? undefined
      : setTimeout(
          () => end(new MediaError('timeout', `ffmpeg did not finish in ${options.deadlineMs} ms`)),
          options.deadlineMs,
        );

  const done = new Promise<FfmpegEnd>((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(killTimer);
      clearTimeout(deadline);
      options.signal?.removeEventListener('abort', onAbort);
      const details = { stderr, arguments: args };
      const [exitCode, signal] = [child?.exitCode ?? null, child?.signalCode ?? null];
      if (stopCause instanceof MediaError) {
        reject(new MediaError(stopCause.code, stopCause.message, details));
      } else if (error && !child) {
        const code = /cannot find|ENOENT|EACCES/i.test(error.message) ? 'tool-missing' : 'internal';
        reject(new MediaError(code, `ffmpeg did not start: ${redactUrls(error.message)}`, details));
      } else if (exitCode === 127 || exitCode === 126) {
        reject(new MediaError('tool-missing', 'ffmpeg or setpriv is not installed', details)); // sh's codes for that
      } else {
        const elapsedMs = Math.round(performance.now() - startedAt);
        resolve({ exitCode, signal, stderr, arguments: args, elapsedMs });
      }
    };
    command.on('start', (line: string) => {
      child = command.ffmpegProc;
      args = redactUrls(line).split(' ').slice(1);
      options.log.debug({ pid: child?.pid, arguments: args }, 'ffmpeg started');
      if (child?.stdout && !hasStreamOutput) readLines(child.stdout, options);
      if (stopCause) end(stopCause);
    });
    command.on('stderr', (line: string) => {
      if (line.trim() === '') return;
      stderr.push(redactUrls(line).slice(0, STDERR_LINE_LENGTH));
      if (stderr.length > STDERR_LINES) stderr.shift();
    });
    // fluent-ffmpeg reports a broken pipe of ours before the process is gone: wait for the process in every case.
    const afterExit = (error?: Error) => {
      const running = child;
      if (!running || running.exitCode !== null || running.signalCode !== null) settle(error);
      else {
        end('asked');
        running.once('exit', () => settle(error));
      }
    };
    command.on('end', () => afterExit());
    command.on('error', (error: Error) => afterExit(error));
  });

  if (options.signal?.aborted) onAbort();
  else options.signal?.addEventListener('abort', onAbort, { once: true });
  command.run();

  return {
    pid: () => child?.pid,
    done,
    async stop() {
      end('asked');
      await done.catch((error: unknown) =>
        options.log.debug({ err: error }, 'ffmpeg ended while it was stopped'),
      );
    },
  };
}

/** Runs a command to its end. @throws MediaError `tool-missing`, `timeout`, `cancelled`, `internal` */
export function runFfmpeg(spec: FfmpegSpec, options: FfmpegOptions): Promise<FfmpegEnd> {
  return startFfmpeg(spec, options).done;
}

function build(spec: FfmpegSpec, hasStreamOutput: boolean): FfmpegCommand {
  // 'error' level keeps fluent-ffmpeg from holding more of stdout and stderr than it needs.
  const command = createCommand({ stdoutLines: 1 });
  command.setFfmpegPath(CHILD);
  for (const [index, input] of spec.inputs.entries()) {
    const general = ['-hide_banner', '-nostats', '-loglevel', 'level+warning'];
    if (typeof input.source === 'string') general.push('-nostdin');
    if (!hasStreamOutput) general.push('-progress', 'pipe:1', '-stats_period', '2');
    command.input(input.source);
    // Several arguments in one call: fluent-ffmpeg would split a single one at its blank.
    command.inputOptions(...(index === 0 ? general : []), ...(input.options ?? []));
  }
  for (const output of spec.outputs) {
    if (typeof output.target === 'string') command.output(output.target);
    else command.output(output.target, { end: true });
    if (output.options && output.options.length > 0) command.outputOptions(...output.options);
  }
  return command;
}

/** Splits stdout into lines and sorts them: `key=value` blocks are progress, the rest goes to `onLine`. */
function readLines(stdout: Readable, options: FfmpegOptions): void {
  let rest = '';
  let block: Record<string, string> = {};
  stdout.on('data', (chunk: Buffer | string) => {
    const lines = (rest + String(chunk)).split('\n');
    rest = (lines.pop() ?? '').slice(0, STDOUT_LINE_LENGTH);
    for (const line of lines) {
      const [, key, value] = /^([a-z0-9_]+)=\s*(.*)$/.exec(line) ?? [];
      if (key === undefined || value === undefined) {
        options.onLine?.(line);
      } else if (key === 'progress') {
        options.onProgress?.(readProgress(block));
        block = {};
      } else if (Object.keys(block).length < 64) {
        block[key] = value;
      }
    }
  });
}

const toInteger = (text: string | undefined) =>
  text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;

function readProgress(block: Readonly<Record<string, string>>): FfmpegProgress {
  const progress: FfmpegProgress = {};
  const [frames, micros, sizeBytes] = [block.frame, block.out_time_us, block.total_size].map(toInteger);
  if (frames !== undefined) progress.frames = frames;
  if (micros !== undefined) progress.outTimeMs = micros / 1000;
  if (sizeBytes !== undefined) progress.sizeBytes = sizeBytes;
  return progress;
}
