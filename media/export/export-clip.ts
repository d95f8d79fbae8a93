import { mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { MediaError } from '../errors.ts';
import type { FootageSegment, WallRange } from '../hls/footage.ts';
import type { Log } from '../log.ts';
import { ffmpegVersion } from '../process/tools.ts';
import type { WallMs } from '../time.ts';
import { layOutClip, type ClipLayout } from './layout.ts';
import { planClip, type ClipPart, type ClipPiece } from './plan.ts';
import { verifyClip } from './verify.ts';
import { writeMedia, writeStart } from './write.ts';

/** One finished file of an export. */
export interface ClipFile {
  file: string;
  sizeBytes: number;
  sha256: string;
  /** As a ZIP's directory holds it. */
  crc32: number;
  durationMs: number;
  frameCount: number;
  videoCodec: 'h264' | 'h265';
  hasAudio: boolean;
  /** What ffmpeg, which checked the file, was told. */
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
  /** `done` goes from 0 to 1. */
  onProgress?: (progress: { done: number }) => void;
  log: Log;
}

const COPY_SHARE = 0.98;

/**
 * Copies a range of footage into MP4 that plays while it downloads, hashing it on the way. Nothing is decoded but the ends, for the check.
 * Files appear under their final names only when all of them passed; before that they are `.part` files, which are removed on
 * failure and when the export is run again. Safe to repeat.
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

  const works = nameParts(plan.parts, out);
  let doneBytes = 0;
  const onBytes = (sizeBytes: number) => {
    doneBytes += sizeBytes;
    options.onProgress?.({ done: (COPY_SHARE * doneBytes) / totalBytes });
  };
  try {
    const files: ClipFile[] = [];
    for (const { part, file, temporary } of works) {
      const createdAt = new Date(plan.covered[0]?.fromAt ?? fromAt);
      const written = await writePart(part, temporary, {
        createdAt,
        onBytes,
        log,
        ...(signal ? { signal } : {}),
      });
      const { video, audio } = part.init;
      files.push({
        file,
        ...written,
        durationMs: part.durationMs,
        videoCodec: video.codec === 'h265' ? 'h265' : 'h264',
        hasAudio: audio !== undefined,
      });
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

/** Where each part goes, and where it grows until it is checked. */
export function nameParts(
  parts: readonly ClipPart[],
  out: string,
): { part: ClipPart; file: string; temporary: string }[] {
  const suffix = extname(out);
  return parts.map((part, index) => {
    const file =
      parts.length === 1 ? out : `${out.slice(0, out.length - suffix.length)}-${index + 1}${suffix}`;
    return { part, file, temporary: `${file}.part` };
  });
}

/**
 * Writes one file and checks it. The head and both ends are written first: ffmpeg can then decode them on one core while the other
 * copies and hashes the middle.
 */
async function writePart(
  part: ClipPart,
  path: string,
  options: { createdAt: Date; onBytes: (sizeBytes: number) => void; signal?: AbortSignal; log: Log },
): Promise<Pick<ClipFile, 'sizeBytes' | 'sha256' | 'crc32' | 'frameCount' | 'arguments'>> {
  const layout = await layOutClip(part, options.createdAt);
  if (layout.shownMs.length !== part.videoSamples)
    throw new MediaError('rejected', 'the footage was changed meanwhile');
  const ends = clipEnds(part, layout);
  const target = await open(path, 'w');
  try {
    await writeStart(target, layout, ends.extents);
    const work = [verifyClip(path, ends, options), writeMedia(target, layout, options)] as const;
    await Promise.allSettled(work); // both, even if one fails: nothing may still use the file when it is removed
    const [args, sums] = await Promise.all(work);
    return { sizeBytes: layout.sizeBytes, ...sums, frameCount: layout.shownMs.length, arguments: args };
  } finally {
    await target.close();
  }
}

/** The first and the last group of pictures: when they are shown, and the bytes that decoding them needs. */
function clipEnds(part: ClipPart, layout: ClipLayout) {
  const group = (from: number) => {
    const next = part.pieces.findIndex(({ fragment }, index) => index > from && fragment.isKey);
    const to = next < 0 ? part.pieces.length : next;
    const countFrames = (pieces: readonly ClipPiece[]) =>
      pieces.reduce((sum, { fragment }) => sum + fragment.videoSamples, 0);
    const start = countFrames(part.pieces.slice(0, from));
    const frames = countFrames(part.pieces.slice(from, to));
    const shownMs = [...layout.shownMs.subarray(start, start + frames)];
    return { shownMs, extents: layout.extents.slice(from, to) };
  };
  const first = group(0);
  const last = group(part.pieces.findLastIndex(({ fragment }) => fragment.isKey));
  return { first: first.shownMs, last: last.shownMs, extents: [...first.extents, ...last.extents] };
}

/** @throws MediaError `no-space` where `sizeBytes` and a reserve do not fit beside what is there */
export async function checkSpace(dir: string, sizeBytes: number): Promise<void> {
  const disk = await statfs(dir);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes < sizeBytes * 1.02 + 16_000_000) {
    throw new MediaError('no-space', 'the clip does not fit on the disk', { freeBytes, sizeBytes });
  }
}
