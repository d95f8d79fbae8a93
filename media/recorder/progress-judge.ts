/** What ffmpeg last said about a run. */
export interface RunProgress {
  monotonicMs: number;
  /** End of the newest packet; where the count starts does not matter. */
  outTimeMs: number;
  frames: number;
}

export type RunVerdict = 'ok' | 'jumped-ahead' | 'jumped-back';

/** Immutable; hand it back with the next progress. */
export interface ProgressJudge {
  verdict: RunVerdict;
  /** The media time has moved, and as it should. */
  isSound: boolean;
  readonly firstAt: number;
  /** The furthest that media has been ahead of real time. */
  readonly lead: number;
  /** When the media time last moved, and how many frames there were then. */
  readonly moved: { at: number; frames: number; outTimeMs: number };
}

/** Cameras send up to some ten seconds of older pictures at once when a session starts. */
const START_BURST_MS = 10_000;
const AHEAD_LIMIT_MS = 5_000;
const FROZEN_AFTER_MS = 3_000;
const FROZEN_FRAMES = 10;
const MOVED_MS = 100;

/**
 * Judges whether a run's media time still goes with real time. A camera whose clock is set while it streams either leaps
 * ahead, or goes back: then ffmpeg keeps the order by squeezing all later frames into one instant, so frames go on while the
 * time stands. Both need a new run. No frames at all is a stall, which a timer watches, not this.
 */
export function judgeProgress(previous: ProgressJudge | undefined, now: RunProgress): ProgressJudge {
  const lead = now.outTimeMs - now.monotonicMs;
  const moved = { at: now.monotonicMs, frames: now.frames, outTimeMs: now.outTimeMs };
  if (!previous) return { verdict: 'ok', isSound: true, firstAt: now.monotonicMs, lead, moved };
  const isStarting = now.monotonicMs - previous.firstAt < START_BURST_MS;
  const hasMoved = now.outTimeMs - previous.moved.outTimeMs >= MOVED_MS;
  const isAhead = !isStarting && lead - previous.lead > AHEAD_LIMIT_MS;
  const isFrozen =
    !hasMoved &&
    now.monotonicMs - previous.moved.at >= FROZEN_AFTER_MS &&
    now.frames - previous.moved.frames >= FROZEN_FRAMES;
  const verdict = isAhead ? 'jumped-ahead' : isFrozen ? 'jumped-back' : 'ok';
  return {
    verdict,
    isSound: verdict === 'ok' && hasMoved,
    firstAt: previous.firstAt,
    lead: isAhead ? previous.lead : Math.max(previous.lead, lead),
    moved: hasMoved ? moved : previous.moved,
  };
}
