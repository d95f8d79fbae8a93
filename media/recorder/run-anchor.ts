import type { MediaMs } from '../time.ts';

/**
 * One observation: `mediaMs` had been received when the clocks showed `wallAt` and `monotonicMs`. The network, the
 * camera's buffer and our own scheduling can only make it late, never early.
 */
export interface ArrivalSample {
  mediaMs: MediaMs;
  /** Epoch ms, from a clock that somebody may set. */
  wallAt: number;
  /** From a clock that never jumps. */
  monotonicMs: number;
}

/** What is known about a run's place on the wall clock. Immutable; hand it back with the next sample. */
export interface RunAnchor {
  /** `wall = media + offsetMs`, for media received from now on. */
  offsetMs: number;
  /** True once the first seconds have been seen, so that a start-up burst no longer bends it. */
  isSettled: boolean;
  /** The wall clock was set since the previous sample by this many ms; 0 when it was not. */
  clockStepMs: number;
  /** @internal estimate on the monotonic clock, and what it is made from */
  readonly state: AnchorState;
}

interface AnchorState {
  firstAt: number;
  lastAt: number;
  /** Estimated `monotonic - media`. */
  delay: number;
  /** Wall minus monotonic at the last sample. */
  wallBase: number;
  /** The smallest delay in each of the last slots, oldest first. */
  slots: readonly { slot: number; least: number }[];
}

/** A camera's crystal and a server's NTP slew stay well inside this. Source: NTP's limit for a sane clock (RFC 5905, 500 ppm). */
const DRIFT_LIMIT = 500e-6;
const SETTLE_MS = 10_000;
const SLOT_MS = 5_000;
const SLOTS = 12;
const STEP_MS = 250;

/**
 * Takes in one more arrival. The smallest delay of the last minute wins, because delays only add. After the first ten
 * seconds the estimate moves by at most 500 ppm of the time that passed, so one odd arrival cannot bend the time line; a
 * camera clock that runs fast or slow is still followed. When our own wall clock is set, the offset follows at once.
 */
export function advanceAnchor(previous: RunAnchor | undefined, sample: ArrivalSample): RunAnchor {
  const delay = sample.monotonicMs - sample.mediaMs;
  const wallBase = sample.wallAt - sample.monotonicMs;
  const slot = Math.floor(sample.monotonicMs / SLOT_MS);
  if (!previous) {
    const at = sample.monotonicMs;
    const state = { firstAt: at, lastAt: at, delay, wallBase, slots: [{ slot, least: delay }] };
    return { offsetMs: delay + wallBase, isSettled: false, clockStepMs: 0, state };
  }
  const old = previous.state;
  const newest = old.slots.at(-1);
  const slots =
    newest?.slot === slot
      ? [...old.slots.slice(0, -1), { slot, least: Math.min(newest.least, delay) }]
      : [...old.slots.filter((each) => each.slot > slot - SLOTS), { slot, least: delay }];
  const least = Math.min(...slots.map((each) => each.least));
  const isSettled = sample.monotonicMs - old.firstAt >= SETTLE_MS;
  const mostChange = Math.max(0, sample.monotonicMs - old.lastAt) * DRIFT_LIMIT;
  const next = previous.isSettled
    ? Math.min(old.delay + mostChange, Math.max(old.delay - mostChange, least))
    : Math.min(old.delay, least);
  const step = wallBase - old.wallBase;
  return {
    offsetMs: next + wallBase,
    isSettled,
    clockStepMs: Math.abs(step) >= STEP_MS ? Math.round(step) : 0,
    state: { firstAt: old.firstAt, lastAt: sample.monotonicMs, delay: next, wallBase, slots },
  };
}
