import { describe, expect, it } from 'vitest';
import { daysOfMonth, zonedParts } from './site-days.ts';

const hours = (span: { fromAt: number; toAt: number } | undefined) =>
  span && (span.toAt - span.fromAt) / 3_600_000;

describe('daysOfMonth', () => {
  it('starts a Shanghai day at 16:00 UTC of the day before', () => {
    const days = daysOfMonth('2026-11', 'Asia/Shanghai');
    expect(days).toHaveLength(30);
    expect(days[0]).toEqual({
      day: '2026-11-01',
      fromAt: Date.parse('2026-10-31T16:00:00Z'),
      toAt: Date.parse('2026-11-01T16:00:00Z'),
    });
    expect(days.every((day) => hours(day) === 24)).toBe(true);
  });
  it('leaves no instant out and counts none twice where clocks change', () => {
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Asia/Beirut', 'Australia/Lord_Howe'])
      for (const month of ['2026-03', '2026-04', '2026-10', '2026-11']) {
        const days = daysOfMonth(month, zone);
        for (const [index, day] of days.entries()) {
          const next = days[index + 1];
          if (next) expect(day.toAt).toBe(next.fromAt);
          const { year, month: m, day: d } = zonedParts(day.fromAt, zone);
          expect(`${year}-${m}-${d}`).toBe(day.day);
          expect(zonedParts(day.fromAt - 1, zone).day).not.toBe(d);
        }
      }
    expect(hours(daysOfMonth('2026-03', 'Europe/Berlin')[28])).toBe(23);
    expect(hours(daysOfMonth('2026-10', 'Europe/Berlin')[24])).toBe(25);
  });
  it('starts a day whose midnight is skipped at its first instant', () => {
    // Beirut goes from 00:00 to 01:00 on 29 March 2026.
    const day = daysOfMonth('2026-03', 'Asia/Beirut')[28];
    expect(zonedParts(day?.fromAt ?? 0, 'Asia/Beirut').hour).toBe('01');
    expect(hours(day)).toBe(23);
  });
  it('knows leap years and the turn of the year', () => {
    expect(daysOfMonth('2028-02', 'Asia/Shanghai')).toHaveLength(29);
    expect(daysOfMonth('2026-12', 'Asia/Shanghai').at(-1)?.toAt).toBe(Date.parse('2026-12-31T16:00:00Z'));
  });
});
