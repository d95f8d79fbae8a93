import { describe, expect, it } from 'vitest';
import { readPlace, writePlace, type WatchPlace } from './watch-place.ts';

const at = Date.parse('2026-11-24T03:12:45.250Z');

describe('the address of a moment', () => {
  it('brings back cameras in order, time, speed, selection and time line', () => {
    const place: WatchPlace = {
      channels: ['b', 'a', 'c'],
      activeId: 'a',
      at,
      rate: -4,
      selection: { fromAt: at - 1_000, toAt: at + 60_000 },
      spanMs: 3_600_000,
    };
    const search = writePlace(place);
    expect(search).toContain('channels=b,a,c');
    expect(search).toContain('at=2026-11-24T03:12:45.250Z');
    expect(readPlace(new URLSearchParams(search))).toEqual(place);
  });
  it('is short for the simple case, and nothing for nowhere', () => {
    const place = { channels: ['a'], activeId: 'a', at: null, rate: 1, selection: null, spanMs: null };
    expect(writePlace(place)).toBe('?channels=a');
    expect(readPlace(new URLSearchParams('?channels=a'))).toEqual(place);
    expect(writePlace({ ...place, channels: [] })).toBe('');
  });
  it('leaves out what makes no sense', () => {
    const search = '?channels=a,a,,b&active=z&at=soon&rate=3&from=2026-01-02&to=2026-01-01&span=-5';
    expect(readPlace(new URLSearchParams(search))).toEqual({
      channels: ['a', 'b'],
      activeId: 'a',
      at: null,
      rate: 1,
      selection: null,
      spanMs: null,
    });
    const many = Array.from({ length: 30 }, (_, index) => `c${index}`).join(',');
    expect(readPlace(new URLSearchParams(`?channels=${many}`)).channels).toHaveLength(9);
  });
});
