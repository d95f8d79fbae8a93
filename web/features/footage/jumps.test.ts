import { describe, expect, it } from 'vitest';
import type { ChannelTimeline } from '#api/footage/schema.ts';
import { gapAt, gapEnds, nextFootageAt, nextOf } from './jumps.ts';

const iso = (at: number) => new Date(at).toISOString();
const span = (fromAt: number, toAt: number) => ({ fromAt: iso(fromAt), toAt: iso(toAt) });
const lane = (spans: [number, number][], gaps: [number, number][]): ChannelTimeline => ({
  channelId: 'c',
  spans: spans.map(([from, to]) => span(from, to)),
  gaps: gaps.map(([from, to]) => ({ ...span(from, to), cause: null })),
  heldSpans: [],
});
const first = lane(
  [
    [0, 10_000],
    [20_000, 30_000],
  ],
  [
    [10_000, 20_000],
    [30_000, 40_000],
  ],
);
const second = lane([[25_000, 40_000]], [[0, 25_000]]);

describe('jumping', () => {
  it('goes to the next and the one before, and not to where one is', () => {
    expect(nextOf([1_000, 5_000, 9_000], 5_100, 1)).toBe(9_000);
    expect(nextOf([1_000, 5_000, 9_000], 5_100, -1)).toBe(1_000);
    expect(nextOf([5_000], 5_000, 1)).toBeUndefined();
  });
  it('knows where gaps end, and not where only the question began', () => {
    expect(gapEnds([first, second])).toEqual([20_000, 25_000]);
  });
  it('finds the next footage of any camera', () => {
    expect(nextFootageAt([first, second], 12_000)).toBe(20_000);
    expect(nextFootageAt([first, second], 5_000)).toBe(5_000);
    expect(nextFootageAt([first, second], 35_000)).toBe(35_000);
    expect(nextFootageAt([first, second], 40_000)).toBeUndefined();
  });
  it('knows the gap it is in', () => {
    expect(gapAt(first, 10_000)?.toAt).toBe(iso(20_000));
    expect(gapAt(first, 20_000)).toBeUndefined();
    expect(gapAt(undefined, 1)).toBeUndefined();
  });
});
