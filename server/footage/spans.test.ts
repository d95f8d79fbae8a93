import { describe, expect, it } from 'vitest';
import { clip, gapsBetween, isOverlapping, mergeSpans } from './spans.ts';

const span = (fromAt: number, toAt: number) => ({ fromAt, toAt });

describe('spans', () => {
  it('joins what overlaps or lies within the tolerance, in any order, and nothing more', () => {
    expect(mergeSpans([span(300, 400), span(0, 100), span(90, 200), span(250, 260)], 50)).toEqual([
      span(0, 400),
    ]);
    expect(mergeSpans([span(0, 100), span(151, 200)], 50)).toEqual([span(0, 100), span(151, 200)]);
    expect(mergeSpans([span(0, 100), span(10, 20)])).toEqual([span(0, 100)]);
  });
  it('finds gaps at both ends and between, and none in a covered range', () => {
    expect(gapsBetween([span(-5, 10), span(20, 30), span(90, 120)], span(0, 100))).toEqual([
      span(10, 20),
      span(30, 90),
    ]);
    expect(gapsBetween([], span(0, 1))).toEqual([span(0, 1)]);
    expect(gapsBetween([span(0, 1)], span(0, 1))).toEqual([]);
  });
  it('cuts to a range, and touching ends share no time', () => {
    expect(clip(span(0, 10), span(5, 20))).toEqual(span(5, 10));
    expect(clip(span(0, 5), span(5, 20))).toBeUndefined();
    expect(isOverlapping(span(0, 5), span(5, 6))).toBe(false);
  });
});
