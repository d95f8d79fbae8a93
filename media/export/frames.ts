import type { ClipLayout } from './layout.ts';
import type { ClipPart } from './plan.ts';

/** A picture of a part: when the copied clip shows it, in ms from its start, and when it was taken (epoch ms, with fractions). */
export interface Frame {
  shownMs: number;
  takenAt: number;
}

/** Every picture of a part in order of showing. Wall time is taken from the piece it lies in, so holes and new runs are right. */
export function listFrames(part: ClipPart, layout: ClipLayout): Frame[] {
  const frames: Frame[] = [];
  let index = 0;
  for (const { fragment, wall } of part.pieces) {
    const shown = layout.shownMs.subarray(index, index + fragment.videoSamples);
    index += fragment.videoSamples;
    const first = shown.reduce((least, ms) => Math.min(least, ms), Infinity);
    for (const shownMs of shown) frames.push({ shownMs, takenAt: wall.fromAt + (shownMs - first) });
  }
  return frames.sort((a, b) => a.shownMs - b.shownMs);
}
