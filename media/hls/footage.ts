import { open } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import { wallMs, type WallMs } from '../time.ts';
import { listFragments, type Fmp4Init, type Fragment } from './fmp4.ts';

/** A segment of footage as the caller's index knows it. The file may be one that is still written: `isOpen`. */
export interface FootageSegment {
  file: string;
  runId: string;
  startAt: WallMs;
  durationMs: number;
  isOpen?: boolean;
  /** Where given, only the groups of pictures that touch it count: beside it another source has the better footage. */
  window?: WallRange;
}

/** A segment with what its file holds. */
export interface FootageFile<T extends FootageSegment = FootageSegment> {
  segment: T;
  init: Fmp4Init;
  fragments: readonly Fragment[];
}

/** A stretch of wall time. */
export interface WallRange {
  fromAt: WallMs;
  toAt: WallMs;
}

/** Wall time of a fragment: the segment's start plus its place in the file. */
export function fragmentRange(file: FootageFile, fragment: Fragment): WallRange {
  const offset = file.segment.startAt - (file.fragments[0]?.startMs ?? 0);
  return {
    fromAt: wallMs(Math.round(fragment.startMs + offset)),
    toAt: wallMs(Math.round(fragment.endMs + offset)),
  };
}

/** Whether any of a stretch lies in the segment's window. */
export function isInWindow({ window }: FootageSegment, range: WallRange): boolean {
  return !window || (range.toAt > window.fromAt && range.fromAt < window.toAt);
}

/** Runs the same, but a hole of this size between two segments is only rounding or a frame that came late. */
export const GAP_MS = 500;

const CACHE_FILES = 2_000;
const cache = new Map<string, Pick<FootageFile, 'init' | 'fragments'>>();

/**
 * Reads the heads of a segment's fragments. Finished files never change, so the last 2,000 are remembered.
 * @throws MediaError `bad-output` (not a segment), `rejected` (the file is gone)
 */
export async function readFootage<T extends FootageSegment>(segment: T): Promise<FootageFile<T>> {
  const known = cache.get(segment.file);
  if (known) return { segment, ...known };
  let handle;
  try {
    handle = await open(segment.file, 'r');
  } catch (error) {
    throw new MediaError('rejected', 'the segment is gone', { file: segment.file }, { cause: error });
  }
  try {
    const list = await listFragments(handle);
    if (!list || list.fragments.length === 0) {
      if (segment.isOpen && list) return { segment, init: list.init, fragments: [] };
      throw new MediaError('bad-output', 'the segment holds no complete fragment', { file: segment.file });
    }
    const { init, fragments } = list;
    if (!segment.isOpen) {
      cache.set(segment.file, { init, fragments });
      const oldest = cache.keys().next().value;
      if (cache.size > CACHE_FILES && oldest !== undefined) cache.delete(oldest);
    }
    return { segment, init, fragments };
  } finally {
    await handle.close();
  }
}
