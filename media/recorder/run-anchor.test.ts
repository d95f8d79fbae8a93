import { describe, expect, it } from 'vitest';
import { advanceAnchor, type RunAnchor } from './run-anchor.ts';
import { mediaMs } from '../time.ts';

const START = 1_750_000_000_000;

/** Plays `seconds` of arrivals, one a second; `delay` is how late each is, `ppm` how fast the camera's clock runs. */
function play(options: {
  seconds: number;
  delay?: (second: number) => number;
  ppm?: number;
  wallShift?: (second: number) => number;
}): RunAnchor[] {
  const anchors: RunAnchor[] = [];
  for (let second = 0; second < options.seconds; second += 1) {
    const monotonicMs = second * 1000 + (options.delay?.(second) ?? 0);
    const media = mediaMs(second * 1000 * (1 + (options.ppm ?? 0) / 1e6));
    const wallAt = START + monotonicMs + (options.wallShift?.(second) ?? 0);
    anchors.push(advanceAnchor(anchors.at(-1), { mediaMs: media, wallAt, monotonicMs: 7_000 + monotonicMs }));
  }
  return anchors;
}
const last = (anchors: RunAnchor[]) => anchors.at(-1) as RunAnchor;

describe('run anchor', () => {
  it('takes the least delay of jittered arrivals', () => {
    const anchors = play({ seconds: 120, delay: (second) => 20 + ((second * 7919) % 400) });
    expect(last(anchors).offsetMs - START).toBeGreaterThanOrEqual(20);
    expect(last(anchors).offsetMs - START).toBeLessThan(45);
    expect(last(anchors).isSettled).toBe(true);
  });

  it('forgets a start-up burst of old pictures', () => {
    // The camera's first packets are two seconds old: they come at once, ahead of real time.
    const anchors = play({ seconds: 30, delay: (second) => (second < 2 ? (2 - second) * 1000 : 0) + 30 });
    expect(last(anchors).offsetMs).toBeCloseTo(START + 30, 0);
  });

  it.each([200, -200])('follows a camera clock that is off by %i ppm', (ppm) => {
    const anchors = play({ seconds: 3_600, ppm });
    const truth = START - 3_599_000 * (ppm / 1e6);
    expect(Math.abs(last(anchors).offsetMs - truth)).toBeLessThan(30);
  });

  it('moves by no more than 500 ppm when every arrival becomes late', () => {
    const anchors = play({ seconds: 200, delay: (second) => (second > 60 ? 5_000 : 10) });
    for (let index = 12; index < anchors.length; index += 1) {
      const moved = Math.abs((anchors[index]?.offsetMs ?? 0) - (anchors[index - 1]?.offsetMs ?? 0));
      expect(moved).toBeLessThanOrEqual(3); // the one late second is six long
    }
    expect(last(anchors).offsetMs - START).toBeLessThan(10 + 200);
  });

  it('follows at once when our own clock is set, and says so', () => {
    const anchors = play({ seconds: 60, wallShift: (second) => (second >= 40 ? -90_000 : 0) });
    expect(anchors[39]?.offsetMs).toBeCloseTo(START, 0);
    expect(anchors[40]?.clockStepMs).toBe(-90_000);
    expect(anchors[40]?.offsetMs).toBeCloseTo(START - 90_000, 0);
    expect(anchors[41]?.clockStepMs).toBe(0);
  });
});
