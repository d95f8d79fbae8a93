import { expect, it } from 'vitest';
import { continuityOf } from './continuity.ts';
import { daysBetween } from './site-days.ts';

const hourMs = 3_600_000;
const days = daysBetween('2026-11-23', '2026-11-25', 'Asia/Shanghai');
const start = days[0]?.fromAt ?? 0;
const gap = (fromHour: number, toHour: number, cause: string | null) => ({
  fromAt: start + fromHour * hourMs,
  toAt: start + toHour * hourMs,
  cause,
});

it('cuts gaps at midnight of the site, tells blame from excuse, and leaves out days that have not begun', () => {
  const gaps = [gap(20, 30, 'camera-lost'), gap(30, 31, null), gap(40, 42, 'recording-off')];
  const found = continuityOf({ gaps }, days, start + 46 * hourMs);
  expect(found).toEqual([
    {
      day: '2026-11-23',
      recordedMs: 20 * hourMs,
      missingMs: 4 * hourMs,
      excusedMs: 0,
      longestGapMs: 4 * hourMs,
      causes: [{ cause: 'camera-lost', totalMs: 4 * hourMs }],
    },
    {
      day: '2026-11-24',
      recordedMs: 13 * hourMs, // of 22 that have passed
      missingMs: 7 * hourMs,
      excusedMs: 2 * hourMs,
      longestGapMs: 7 * hourMs, // one outage, although its cause is known for a part only
      causes: [
        { cause: 'camera-lost', totalMs: 6 * hourMs },
        { cause: 'recording-off', totalMs: 2 * hourMs },
        { cause: null, totalMs: hourMs },
      ],
    },
  ]);
});

it('counts 23 and 25 hours where clocks change, and footage deleted before its time as missing', () => {
  const [spring] = daysBetween('2026-03-29', '2026-03-29', 'Europe/Berlin');
  const [autumn] = daysBetween('2026-10-25', '2026-10-25', 'Europe/Berlin');
  const hours = (day: typeof spring) =>
    (continuityOf({ gaps: [] }, day ? [day] : [], Infinity)[0]?.recordedMs ?? 0) / hourMs;
  expect([hours(spring), hours(autumn)]).toEqual([23, 25]);
  const [day] = continuityOf({ gaps: [gap(0, 1, 'deleted-before-minimum')] }, days, Infinity);
  expect(day).toMatchObject({ missingMs: hourMs, excusedMs: 0 });
});
