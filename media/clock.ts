/** Time as media code sees it, handed in so that tests can drive it. */
export interface Clock {
  /** Epoch ms; may jump when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds from an arbitrary start; never jumps and never goes back. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it and may be called more than once. */
  after(delayMs: number, run: () => void): () => void;
}

/** The machine's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Waits `delayMs`, or until `signal` aborts (then it resolves early). */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
