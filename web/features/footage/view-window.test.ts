import { describe, expect, it } from 'vitest';
import { pan, rulerMarks, shareOf, zoneOffsetMs, zoom } from './view-window.ts';

const hour = 3_600_000;
const at = Date.parse('2026-11-24T08:20:00Z');

describe('timeline window', () => {
  it('keeps the instant under the pointer in place when zooming', () => {
    const before = { fromAt: at - hour, toAt: at + 3 * hour };
    const after = zoom(before, 0.5, at);
    expect(after.toAt - after.fromAt).toBe(2 * hour);
    expect(shareOf(after, at)).toBeCloseTo(shareOf(before, at));
  });

  it('stays between one minute and seven days', () => {
    const window = { fromAt: at, toAt: at + hour };
    expect(zoom(window, 1e-6, at).toAt - at).toBe(60_000);
    const wide = zoom(window, 1e6, at);
    expect(wide.toAt - wide.fromAt).toBe(7 * 24 * hour);
  });

  it('moves by a share of its length', () => {
    expect(pan({ fromAt: 0, toAt: 100 }, -0.5)).toEqual({ fromAt: -50, toAt: 50 });
  });

  it('puts six-hour marks on the wall clock of the site, not on UTC', () => {
    const { stepMs, marks } = rulerMarks({ fromAt: at, toAt: at + 24 * hour }, 5, 8 * hour);
    expect(stepMs).toBe(6 * hour);
    expect(marks.map((mark) => new Date(mark + 8 * hour).getUTCHours() % 6)).toEqual([0, 0, 0, 0]);
  });

  it('knows zones with and without summer time', () => {
    expect(zoneOffsetMs(at, 'Asia/Shanghai')).toBe(8 * hour);
    expect(zoneOffsetMs(Date.parse('2026-07-01T12:00:00Z'), 'Europe/Berlin')).toBe(2 * hour);
    expect(zoneOffsetMs(Date.parse('2026-12-01T12:00:00.500Z'), 'Europe/Berlin')).toBe(hour);
  });
});
