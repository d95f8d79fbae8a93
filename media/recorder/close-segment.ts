import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { listFragments, type Fmp4Init } from '../hls/fmp4.ts';
import { isMediaError } from '../errors.ts';
import { toWall, type MediaMs, type WallMs } from '../time.ts';
import { dayFolder, segmentName } from './segment-names.ts';

/** One finished file of a run. All of its fragments are complete and it starts with a key frame. */
export interface ClosedSegment {
  runId: string;
  /** Absolute path. */
  file: string;
  /** Wall time of the first picture. */
  startAt: WallMs;
  durationMs: number;
  /** The same start on the run's own time line. */
  mediaStartMs: MediaMs;
  sizeBytes: number;
  fragmentCount: number;
  videoCodec: 'h264' | 'h265';
  width: number | undefined;
  height: number | undefined;
  hasAudio: boolean;
  /** RFC 6381, video first. */
  codecs: string;
  /** Segments with equal hashes can be joined by copy and played without a new init segment. */
  setupHash: string;
}

/**
 * Finishes a part file: keeps its complete fragments, cuts the rest off, syncs it to disk and renames it into the folder of
 * its day (or of `dir` itself when `isFlat`). A part without one complete fragment is deleted and undefined returned.
 * `keepUntilMs` also cuts fragments that end later on the run's time line (the camera's clock jumped inside them).
 * `offsetMs` may be a function of the first media time when it is only known then. Safe to repeat after a crash at any point.
 */
export async function closeSegment(options: {
  part: string;
  dir: string;
  runId: string;
  offsetMs: number | ((times: { startMs: MediaMs; endMs: MediaMs }) => Promise<number>);
  keepUntilMs?: number;
  isFlat?: boolean;
}): Promise<ClosedSegment | undefined> {
  const { part, dir, runId, keepUntilMs = Infinity } = options;
  const file = await open(part, 'r+');
  let facts:
    | { init: Fmp4Init; fragmentCount: number; sizeBytes: number; startMs: MediaMs; endMs: MediaMs }
    | undefined;
  try {
    facts = await keepComplete(file, keepUntilMs);
  } catch (error) {
    if (!isMediaError(error, 'bad-output', 'not-supported')) throw error;
    facts = undefined; // its head is damaged: nothing in it can be played
  } finally {
    await file.close();
  }
  if (!facts) {
    await unlink(part);
    return undefined;
  }
  const { init, startMs, endMs } = facts;
  const offsetMs =
    typeof options.offsetMs === 'number' ? options.offsetMs : await options.offsetMs({ startMs, endMs });
  const startAt = toWall(startMs, offsetMs);
  const durationMs = Math.round(endMs - startMs);
  const folder = options.isFlat ? dir : dayFolder(dir, startAt);
  await mkdir(folder, { recursive: true });
  const target = join(folder, segmentName({ startAt, durationMs, runId }));
  await rename(part, target);
  await syncFolder(dirname(target));
  return {
    runId,
    file: target,
    startAt,
    durationMs,
    mediaStartMs: startMs,
    sizeBytes: facts.sizeBytes,
    fragmentCount: facts.fragmentCount,
    ...segmentSetup(init),
  };
}

/** The parts of a closed segment that follow from its init segment. */
export function segmentSetup(
  init: Fmp4Init,
): Pick<ClosedSegment, 'videoCodec' | 'width' | 'height' | 'hasAudio' | 'codecs' | 'setupHash'> {
  return {
    videoCodec: init.video.codec === 'h265' ? 'h265' : 'h264',
    width: init.video.width,
    height: init.video.height,
    hasAudio: init.audio !== undefined,
    codecs: init.codecs,
    setupHash: init.setupHash,
  };
}

/** Fragments are cut after 4 s, and a silent camera ends the run after 10: a longer one has a jump of the clock inside. */
const JUMP_MS = 20_000;

async function keepComplete(file: Awaited<ReturnType<typeof open>>, keepUntilMs: number) {
  const list = await listFragments(file);
  if (!list) return undefined;
  const cut = list.fragments.findIndex((fragment, index) => {
    const before = list.fragments[index - 1]?.endMs ?? fragment.startMs;
    return fragment.endMs > keepUntilMs || fragment.endMs - before > JUMP_MS || fragment.endMs < before;
  });
  const fragments = cut < 0 ? list.fragments : list.fragments.slice(0, cut);
  const [first, last] = [fragments[0], fragments.at(-1)];
  if (!first?.isKey || !last) return undefined;
  const sizeBytes = last.offset + last.sizeBytes;
  if ((await file.stat()).size > sizeBytes) await file.truncate(sizeBytes);
  await file.datasync();
  return {
    init: list.init,
    fragmentCount: fragments.length,
    sizeBytes,
    startMs: first.startMs,
    endMs: last.endMs,
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
