import { describe, expect, it } from 'vitest';
import { correct, SyncClock } from './sync-clock.ts';

describe('the clock of a playback', () => {
  it('moves at its rate while it runs, in both directions, and stays where it is halted', () => {
    let now = 1_000;
    const clock = new SyncClock(() => now, 50_000);
    now += 500;
    expect(clock.at).toBe(50_000);
    clock.run();
    now += 200;
    expect(clock.at).toBe(50_200);
    clock.setRate(4);
    now += 100;
    expect(clock.at).toBe(50_600);
    clock.setRate(-1);
    now += 600;
    expect(clock.at).toBe(50_000);
    clock.halt();
    now += 1_000;
    expect(clock.at).toBe(50_000);
    clock.set(7);
    clock.run();
    clock.run();
    now += 3;
    expect(clock.at).toBe(4);
  });
});

describe('bringing a picture back to the clock', () => {
  it('leaves what nobody sees, nudges what is near, jumps over what is far', () => {
    expect(correct(15, 2)).toEqual({ kind: 'rate', rate: 2 });
    const slower = correct(60, 1);
    const faster = correct(-60, 1);
    expect(slower.kind === 'rate' && slower.rate).toBeCloseTo(0.9);
    expect(faster.kind === 'rate' && faster.rate).toBeCloseTo(1.1);
    expect(correct(400, 1)).toEqual({ kind: 'rate', rate: 0.75 });
    expect(correct(-900, 1)).toEqual({ kind: 'seek' });
    expect(correct(-900, 4).kind).toBe('rate');
  });
  it.each([0.25, 1, 4, 16])('closes any difference it nudges, at ×%d, within three seconds', (rate) => {
    for (const start of [-450, -90, 70, 450]) {
      let drift = start;
      for (let at = 0; at < 3_000; at += 100) {
        const step = correct(drift, rate);
        drift = step.kind === 'seek' ? 0 : drift + (step.rate - rate) * 100;
      }
      expect(Math.abs(drift), `from ${start}`).toBeLessThanOrEqual(50);
    }
  });
});
