import type { ChangeScore } from './change-detector.ts';

/** A stretch in which an area changed. Epoch ms of the key frames that showed it. */
export interface Moment {
  readonly fromAt: number;
  readonly toAt: number;
  /** The picture that differed most. */
  readonly peakAt: number;
  /** Largest share of the area that changed, 0..1. */
  readonly share: number;
  readonly isWholePicture: boolean;
}

/** Pictures without a change that a moment may hold: somebody stands still for a breath. */
const CALM_MS = 6_000;

/** Joins changed pictures that lie close together into moments; each is given once it is over. */
export function createMomentJoiner(): {
  /** @returns the moment that this picture ended, if any */
  next(at: number, score: ChangeScore): Moment | undefined;
  /** @returns the moment under way, if any */
  end(): Moment | undefined;
} {
  let open: Moment | undefined;
  const take = () => {
    const ended = open;
    open = undefined;
    return ended;
  };
  return {
    next(at, { share, isChanged, isWholePicture }) {
      const ended = open && at - open.toAt > CALM_MS ? take() : undefined;
      if (!isChanged) return ended;
      open = open
        ? {
            fromAt: open.fromAt,
            toAt: at,
            peakAt: share > open.share ? at : open.peakAt,
            share: Math.max(share, open.share),
            isWholePicture: open.isWholePicture || isWholePicture,
          }
        : { fromAt: at, toAt: at, peakAt: at, share, isWholePicture };
      return ended;
    },
    end: take,
  };
}
