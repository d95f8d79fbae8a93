import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { words } from '../process/words.ts';
import type { ClipPart } from './plan.ts';
import { readSampleTables, type SampleTables } from './sample-tables.ts';

const DECODE_DEADLINE_MS = 120_000;
/** Two short decodes: more threads and a measured frame rate would only cost time. */
const OPEN_FAST = words('-threads 1 -fpsprobesize 0 -analyzeduration 0');

/**
 * Checks a written clip against its plan: every frame is in the tables, the duration fits to 0.3 s, the tables come first, and the
 * first and last group of pictures decode without an error. @throws MediaError `bad-output` with what differs, `cancelled`
 */
export async function verifyClip(
  path: string,
  part: ClipPart,
  options: { signal?: AbortSignal; log: Log },
): Promise<SampleTables> {
  const tables = await readSampleTables(path);
  const problems: string[] = [];
  if (tables.frameCount !== part.videoSamples) {
    problems.push(`${tables.frameCount} frames instead of ${part.videoSamples}`);
  }
  // The media may hold up to 0.2 s before the first picture, where a run begins (see pull-command.ts).
  if (Math.abs(tables.durationMs - part.durationMs) > 300) {
    problems.push(`${tables.durationMs} ms instead of ${part.durationMs} ms`);
  }
  if (!tables.isFastStart) problems.push('the tables stand at the end');
  if (problems.length > 0)
    throw new MediaError('bad-output', `the clip is not as planned: ${problems.join(', ')}`);
  await decodeEnds(path, part, options);
  return tables;
}

const decodeFrames = (input: number, count: number) => ({
  target: 'pipe:1',
  options: words(`-map ${input}:v:0 -frames:v ${count} -f framecrc`),
});

async function decodeEnds(
  path: string,
  part: ClipPart,
  options: { signal?: AbortSignal; log: Log },
): Promise<void> {
  const firstKey = part.pieces[0];
  const lastKey = part.pieces.findLast((piece) => piece.fragment.isKey);
  if (!firstKey || !lastKey) throw new MediaError('bad-output', 'the clip has no key frame');
  const toSeconds = 1 / part.init.video.timescale;
  const lastStart = Math.max(0, (lastKey.fragment.decodeTicks + lastKey.shiftTicks) * toSeconds - 0.05);
  const first = Math.min(firstKey.fragment.videoSamples, 50);
  const last = Math.min(lastKey.fragment.videoSamples, 50);
  let frames = 0;
  const end = await runFfmpeg(
    {
      inputs: [
        { source: path, options: OPEN_FAST },
        { source: path, options: [...OPEN_FAST, ...words(`-ss ${lastStart.toFixed(3)}`)] },
      ],
      outputs: [decodeFrames(0, first), decodeFrames(1, last)],
    },
    {
      ...options,
      deadlineMs: DECODE_DEADLINE_MS,
      onLine: (line) => {
        if (line.startsWith('0,')) frames += 1;
      },
    },
  );
  const complaints = end.stderr.filter((line) => /error|corrupt|invalid/i.test(line));
  // The seek may land one group early, but never later: at least so many frames must come out.
  if (end.exitCode !== 0 || complaints.length > 0 || frames < first + Math.min(last, 2)) {
    throw new MediaError('bad-output', `the clip does not decode: ${frames} of ${first + last} frames`, {
      stderr: end.stderr,
    });
  }
}

/** Puts a file's bytes on disk, so that a record of it is true after a power cut too. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file, in hex, reading it once. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const stream = createReadStream(path, { highWaterMark: 1 << 20 });
  for await (const chunk of stream) {
    if (signal?.aborted) throw new MediaError('cancelled', 'the export was cancelled');
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
