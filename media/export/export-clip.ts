import { mkdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { MediaError } from '../errors.ts';
import type { FootageSegment, WallRange } from '../hls/footage.ts';
import type { Log } from '../log.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { ffmpegVersion } from '../process/tools.ts';
import type { WallMs } from '../time.ts';
import { streamPieces } from './fragment-stream.ts';
import { planClip, type ClipPart } from './plan.ts';
import { hashFile, syncFile, verifyClip } from './verify.ts';
import { words } from '../process/words.ts';

/** One finished file of an export. */
export interface ClipFile {
  file: string;
  sizeBytes: number;
  sha256: string;
  durationMs: number;
  frameCount: number;
  videoCodec: 'h264' | 'h265';
  hasAudio: boolean;
  /** What ffmpeg was told, without addresses or passwords. */
  arguments: string[];
}

/** What an export holds, for its record. */
export interface ClipResult {
  /** One, or several where codec or picture size changed inside the range: then `-1`, `-2` stand in the names. */
  files: ClipFile[];
  /** Wall time that is really in the clip. */
  covered: WallRange[];
  /** Holes inside the range; the clip runs on without them. */
  gaps: WallRange[];
  /** Footage from before and after the range that is in the clip, because a copy begins at a key frame and keeps whole groups. */
  leadMs: number;
  tailMs: number;
  ffmpegVersion: string | undefined;
}

export interface ExportOptions {
  /** In time order, of one stream. Segments outside the range are left out; open ones give their complete fragments. */
  segments: readonly FootageSegment[];
  fromAt: WallMs;
  toAt: WallMs;
  /** Absolute path ending in `.mp4`; its folder is created. */
  out: string;
  signal?: AbortSignal;
  /** `done` goes from 0 to 1; the last tenth is the check. */
  onProgress?: (progress: { done: number }) => void;
  log: Log;
}

const MOOV_BASE_BYTES = 16_384;
/** Most that one sample takes in the tables: stts 8, ctts 8, stsz 4, stss 4, stsc 12, co64 8. */
const MOOV_SAMPLE_BYTES = 44;
const COPY_SHARE = 0.9;

/**
 * Copies a range of footage into MP4 that plays while it downloads, checks and hashes it. Nothing is decoded but the ends.
 * Files appear under their final names only when all of them passed; before that they are `.part` files, which are removed on
 * failure and when the export is run again. Safe to repeat.
 *
 * The tables are written into room left at the file's start, so that the media is written once: ffmpeg's `faststart`
 * would write it twice.
 * @throws MediaError `no-media` (nothing recorded there), `no-space`, `rejected` (footage gone), `bad-output`, `cancelled`,
 *   `tool-missing`
 */
export async function exportClip(options: ExportOptions): Promise<ClipResult> {
  const { segments, fromAt, toAt, out, signal, log } = options;
  if (!(fromAt < toAt)) throw new MediaError('rejected', 'the range is empty');
  const plan = await planClip(segments, { fromAt, toAt });
  if (plan.parts.length === 0) throw new MediaError('no-media', 'nothing was recorded in that range');
  await mkdir(dirname(out), { recursive: true });
  const totalBytes = plan.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  await checkSpace(dirname(out), totalBytes);

  const works = plan.parts.map((part, index) => {
    const suffix = extname(out);
    const file =
      plan.parts.length === 1 ? out : `${out.slice(0, out.length - suffix.length)}-${index + 1}${suffix}`;
    return { part, file, temporary: `${file}.part` };
  });
  let doneBytes = 0;
  const onBytes = (sizeBytes: number) => {
    doneBytes += sizeBytes;
    options.onProgress?.({ done: (COPY_SHARE * doneBytes) / totalBytes });
  };
  try {
    const files: ClipFile[] = [];
    for (const { part, file, temporary } of works) {
      const startAt = plan.covered[0]?.fromAt ?? fromAt;
      const args = await writePart(part, temporary, { startAt, onBytes, log, ...(signal ? { signal } : {}) });
      const { tables, sha256 } = await inspect(temporary, part, { log, ...(signal ? { signal } : {}) });
      const { isFastStart: _, ...facts } = tables;
      const { size } = await stat(temporary);
      files.push({ file, sizeBytes: size, sha256, ...facts, durationMs: part.durationMs, arguments: args });
    }
    for (const { file, temporary } of works) await rename(temporary, file);
    options.onProgress?.({ done: 1 });
    const { covered, gaps, leadMs, tailMs } = plan;
    return { files, covered, gaps, leadMs, tailMs, ffmpegVersion: await ffmpegVersion() };
  } catch (error) {
    await Promise.all(works.map(({ temporary }) => rm(temporary, { force: true })));
    throw error;
  }
}

async function writePart(
  part: ClipPart,
  target: string,
  options: { startAt: WallMs; onBytes: (sizeBytes: number) => void; signal?: AbortSignal; log: Log },
): Promise<string[]> {
  const roomBytes = MOOV_BASE_BYTES + part.samples * MOOV_SAMPLE_BYTES;
  const input = streamPieces(part, options.onBytes);
  let failure: unknown;
  input.once('error', (error) => (failure = error));
  const end = await runFfmpeg(
    {
      inputs: [{ source: input, options: ['-fpsprobesize', '0', '-f', 'mp4'] }],
      outputs: [
        {
          target,
          options: [
            ...words('-map 0 -c copy -map_metadata -1 -fflags +bitexact'),
            ...words(`-metadata creation_time=${new Date(options.startAt).toISOString()}`),
            ...(part.init.video.codec === 'h265' ? ['-tag:v', 'hvc1'] : []),
            ...words(`-moov_size ${roomBytes} -f mp4`),
          ],
        },
      ],
    },
    { log: options.log, ...(options.signal ? { signal: options.signal } : {}) },
  );
  if (failure instanceof MediaError) throw failure;
  if (failure !== undefined)
    throw new MediaError('rejected', 'the footage could not be read', {}, { cause: failure });
  if (end.exitCode !== 0)
    throw errorFromStderr(end.stderr, { code: 'bad-output', message: 'the clip was not written' });
  return end.arguments;
}

/** Check, hash and sync at once; waits for all even if one fails, so that nothing still reads the file when it is removed. */
async function inspect(path: string, part: ClipPart, options: { signal?: AbortSignal; log: Log }) {
  const work = [verifyClip(path, part, options), hashFile(path, options.signal), syncFile(path)] as const;
  await Promise.allSettled(work);
  const [tables, sha256] = await Promise.all(work);
  return { tables, sha256 };
}

async function checkSpace(dir: string, sizeBytes: number): Promise<void> {
  const disk = await statfs(dir);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes < sizeBytes * 1.02 + 16_000_000) {
    throw new MediaError('no-space', 'the clip does not fit on the disk', { freeBytes, sizeBytes });
  }
}
