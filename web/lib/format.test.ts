import { describe, expect, it } from 'vitest';
import { createFormat } from './format.ts';

const zh = createFormat({ locale: 'zh-CN', timeZone: 'Asia/Shanghai', unknown: '?' });
const en = createFormat({ locale: 'en', timeZone: 'Asia/Shanghai', unknown: 'unknown' });
const now = Date.parse('2026-11-24T08:00:00Z');

describe('format', () => {
  it('writes instants in the site zone, whatever the zone of the machine', () => {
    expect(en.dateTime('2026-11-24T16:30:05Z')).toBe('2026-11-25 00:30:05');
    expect(en.dateTime('2026-11-24T16:30:05+08:00')).toBe('2026-11-24 16:30:05');
    expect(en.date(now)).toBe('2026-11-24');
    expect(en.time(now)).toBe('16:00:00');
  });

  it('never shows an unknown value as 0 or as nothing', () => {
    for (const text of [
      en.dateTime(null),
      en.relative(undefined, now),
      en.bytes(null),
      en.duration(null),
      en.number(null),
      en.percent(null),
      en.days(null),
      en.text(''),
    ])
      expect(text).toBe('unknown');
  });

  it('counts bytes in decimal units', () => {
    expect(en.bytes(0)).toBe('0 B');
    expect(en.bytes(999)).toBe('999 B');
    expect(en.bytes(1_500_000_000)).toBe('1.5 GB');
    expect(en.bytes(512_000_000_000)).toBe('512 GB');
  });

  it('gives the two largest units of a duration', () => {
    expect(en.duration(250)).toBe('250 ms');
    expect(en.duration(59_999)).toBe('59 sec');
    expect(en.duration(125_000)).toBe('2 min 5 sec');
    expect(en.duration(7_500_000)).toBe('2 hr 5 min');
    expect(en.duration(-3_600_000)).toBe('1 hr');
    expect(en.duration(90_000_000)).toBe('1 day 1 hr');
  });

  it('says how long ago up to a week, then the date', () => {
    expect(en.relative(now - 30_000, now)).toBe('30 seconds ago');
    expect(en.relative(now - 3 * 60_000, now)).toBe('3 minutes ago');
    expect(en.relative(now - 26 * 3_600_000, now)).toBe('yesterday');
    expect(en.relative(now - 30 * 86_400_000, now)).toBe('2026-10-25');
    expect(zh.relative(now - 3 * 60_000, now)).toBe(
      new Intl.RelativeTimeFormat('zh-CN').format(-3, 'minute'),
    );
  });
});
