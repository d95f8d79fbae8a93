import {
  fragmentRange,
  GAP_MS,
  readFootage,
  type FootageFile,
  type FootageSegment,
  type WallRange,
} from '../hls/footage.ts';
import type { Fmp4Init, Fragment } from '../hls/fmp4.ts';
import { wallMs, type WallMs } from '../time.ts';

/** One fragment of a clip and where it goes. */
export interface ClipPiece {
  file: string;
  fragment: Fragment;
  /** Wall time of its first picture, and of the end of its last. */
  wall: WallRange;
  /** Added to the fragment's decode time, in ticks of the video track, so that the clip runs on without holes. */
  shiftTicks: number;
}

/** What goes into one output file: pieces that one decoder setup plays. */
export interface ClipPart {
  init: Fmp4Init;
  pieces: ClipPiece[];
  sizeBytes: number;
  videoSamples: number;
  samples: number;
  /** From the first picture to the end of the last. */
  durationMs: number;
}

export interface ClipPlan {
  /** More than one where the camera's codec or picture size changed inside the range; empty where nothing was recorded. */
  parts: ClipPart[];
  /** Wall time that the clip really holds, in order. It may begin before and end after the range by part of a group. */
  covered: WallRange[];
  /** Holes inside the range, its ends included, longer than 0.5 s. The clip's own time line runs on without them. */
  gaps: WallRange[];
  /** How much footage from before `fromAt` is in the clip: a copy can only begin at a key frame. */
  leadMs: number;
  /** How much footage from after `toAt` is in it: the last group of pictures is kept whole. */
  tailMs: number;
}

/**
 * Chooses the fragments for a clip. `segments` in time order; an open one counts with its complete fragments.
 * @throws MediaError `rejected` (a file is gone), `bad-output`
 */
export async function planClip(
  segments: readonly FootageSegment[],
  range: { fromAt: WallMs; toAt: WallMs },
): Promise<ClipPlan> {
  const { fromAt, toAt } = range;
  const parts: ClipPart[] = [];
  const covered: { fromAt: WallMs; toAt: WallMs }[] = [];
  let before: { file: FootageFile; end: WallMs } | undefined;
  for (const segment of segments) {
    if (segment.startAt >= toAt || (!segment.isOpen && segment.startAt + segment.durationMs <= fromAt))
      continue;
    const file = await readFootage(segment);
    for (const fragment of choose(file, range)) {
      const wall = fragmentRange(file, fragment);
      const hole = before ? Math.abs(wall.fromAt - before.end) : Infinity;
      const joins = before !== undefined && hole <= GAP_MS;
      addPiece(parts, file, { fragment, wall }, joins && before?.file.segment.runId === segment.runId);
      const last = covered.at(-1);
      if (last && joins) last.toAt = wall.toAt;
      else covered.push({ ...wall });
      before = { file, end: wall.toAt };
    }
  }
  return {
    parts,
    covered,
    gaps: findGaps(covered, range),
    leadMs: Math.max(0, fromAt - (covered[0]?.fromAt ?? fromAt)),
    tailMs: Math.max(0, (covered.at(-1)?.toAt ?? toAt) - toAt),
  };
}

/** The fragments that touch the range, from the key frame at or before its start. */
function choose(file: FootageFile, range: WallRange): readonly Fragment[] {
  const touches = (fragment: Fragment) => {
    const wall = fragmentRange(file, fragment);
    return wall.toAt > range.fromAt && wall.fromAt < range.toAt;
  };
  const first = file.fragments.findIndex(touches);
  if (first < 0) return [];
  const key = file.fragments.slice(0, first + 1).findLastIndex((fragment) => fragment.isKey);
  return file.fragments.slice(Math.max(0, key), file.fragments.findLastIndex(touches) + 1);
}

function addPiece(
  parts: ClipPart[],
  file: FootageFile,
  { fragment, wall }: { fragment: Fragment; wall: WallRange },
  follows: boolean,
): void {
  let part = parts.at(-1);
  if (!part || part.init.setupHash !== file.init.setupHash) {
    part = { init: file.init, pieces: [], sizeBytes: 0, videoSamples: 0, samples: 0, durationMs: 0 };
    parts.push(part);
  }
  const last = part.pieces.at(-1);
  // On one run the times go on as they are; after a hole or in a new run the fragment is put right behind the last one.
  const shiftTicks = !last
    ? -fragment.decodeTicks
    : follows
      ? last.shiftTicks
      : last.shiftTicks + last.fragment.decodeTicks + last.fragment.durationTicks - fragment.decodeTicks;
  part.pieces.push({ file: file.segment.file, fragment, wall, shiftTicks });
  part.sizeBytes += fragment.sizeBytes;
  part.videoSamples += fragment.videoSamples;
  part.samples += fragment.samples;
  const toMs = 1000 / file.init.video.timescale;
  const first = part.pieces[0] as ClipPiece;
  part.durationMs = Math.round(
    fragment.endMs + shiftTicks * toMs - (first.fragment.startMs + first.shiftTicks * toMs),
  );
}

function findGaps(covered: readonly WallRange[], { fromAt, toAt }: WallRange): WallRange[] {
  const gaps: WallRange[] = [];
  let reached = fromAt;
  for (const each of [...covered, { fromAt: toAt, toAt }]) {
    if (each.fromAt - reached > GAP_MS) gaps.push({ fromAt: reached, toAt: each.fromAt });
    reached = wallMs(Math.max(reached, each.toAt));
  }
  return gaps;
}
