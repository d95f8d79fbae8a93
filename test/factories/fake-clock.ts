import type { Clock } from '#media/clock.ts';

/** A clock that only moves when told. `advance` runs the timers that fall due, in order, and lets promises settle between. */
export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>;
  /** Sets the wall clock without moving time, as NTP or a person does. */
  setWall(ms: number): void;
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export function createFakeClock(startAt = 1_750_000_000_000): FakeClock {
  let elapsed = 0;
  let wallShift = startAt;
  let timers: { at: number; run: () => void }[] = [];
  return {
    now: () => elapsed + wallShift,
    monotonic: () => elapsed,
    after(delayMs, run) {
      const timer = { at: elapsed + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    setWall(ms) {
      wallShift = ms - elapsed;
    },
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (;;) {
        const due = timers.filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers = timers.filter((each) => each !== due);
        elapsed = Math.max(elapsed, due.at);
        due.run();
        await settle();
      }
      elapsed = until;
      await settle();
    },
  };
}
