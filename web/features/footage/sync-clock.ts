/**
 * The one clock that all pictures of a playback follow: an instant of the past that moves at a rate. Pure but for the stop-watch handed in.
 */
export class SyncClock {
  readonly #stopwatch: () => number;
  #at: number;
  #since: number;
  #rate = 1;
  #isRunning = false;

  /** @param stopwatch milliseconds that never jump, as `performance.now` */
  constructor(stopwatch: () => number, at: number) {
    this.#stopwatch = stopwatch;
    this.#at = at;
    this.#since = stopwatch();
  }

  /** The instant to be shown now, epoch ms. */
  get at(): number {
    return this.#isRunning ? this.#at + (this.#stopwatch() - this.#since) * this.#rate : this.#at;
  }
  get isRunning(): boolean {
    return this.#isRunning;
  }
  get rate(): number {
    return this.#rate;
  }

  /** Jumps; running goes on from there. */
  set(at: number): void {
    this.#at = at;
    this.#since = this.#stopwatch();
  }
  /** Negative rates run backwards. */
  setRate(rate: number): void {
    this.set(this.at);
    this.#rate = rate;
  }
  run(): void {
    if (this.#isRunning) return;
    this.#since = this.#stopwatch();
    this.#isRunning = true;
  }
  halt(): void {
    this.#at = this.at;
    this.#isRunning = false;
  }
}

/** What brings a playing picture back to the clock. */
export type Correction = { readonly kind: 'rate'; readonly rate: number } | { readonly kind: 'seek' };

/** Nearer than half a frame of a usual camera: nobody sees it, and players do not hold it better. */
const tolerableMs = 20;
/** How long a nudge may take to close a difference, ms of real time. */
const closeWithinMs = 600;
/** A picture that runs a quarter faster or slower for a moment looks right; more does not. */
const mostNudge = 0.25;

/**
 * @param driftMs the picture's instant minus the clock's
 * @param rate of the clock, above 0
 */
export function correct(driftMs: number, rate: number): Correction {
  const size = Math.abs(driftMs);
  if (size <= tolerableMs) return { kind: 'rate', rate };
  // What a nudge could not close in about two seconds is jumped over.
  if (size > Math.max(150, 450 * rate)) return { kind: 'seek' };
  const nudge = Math.min(mostNudge, Math.max(-mostNudge, driftMs / (closeWithinMs * rate)));
  return { kind: 'rate', rate: rate * (1 - nudge) };
}
