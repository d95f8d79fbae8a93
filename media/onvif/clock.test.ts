import { describe, expect, it } from 'vitest';
import { clockFrom } from './clock.ts';
import { timeAnswer } from './test-device.ts';
import { parseXml } from './xml.ts';

const PREFIXES = 'xmlns:tds="d" xmlns:tt="t"';
const read = (inside: string, sentAt: number, receivedAt = sentAt) =>
  clockFrom(parseXml(inside.replace('Response>', `Response ${PREFIXES}>`)), sentAt, receivedAt);

const local = (zone: string, time: string, daylight = false): string => {
  const [, year, month, day, hour, minute, second] = /(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/.exec(time) ?? [];
  return (
    `<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:DaylightSavings>${daylight}</tt:DaylightSavings><tt:TimeZone><tt:TZ>${zone}</tt:TZ></tt:TimeZone>` +
    `<tt:LocalDateTime><tt:Time><tt:Hour>${hour}</tt:Hour><tt:Minute>${minute}</tt:Minute><tt:Second>${second}</tt:Second></tt:Time><tt:Date><tt:Year>${year}</tt:Year><tt:Month>${month}</tt:Month><tt:Day>${day}</tt:Day></tt:Date></tt:LocalDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`
  );
};

describe('clockFrom', () => {
  const at = Date.UTC(2025, 0, 31, 23, 59, 58);

  it('measures device minus ours from the middle of the round trip', () => {
    expect(read(timeAnswer(at + 90_000), at, at + 1_000)).toEqual({
      deviceAt: at + 90_000,
      skewMs: 90_000,
      roundTripMs: 1_000,
      source: 'utc',
      isNtp: true,
      timeZone: 'CST-8',
    });
  });

  it.each([
    [8 * 3_600_000 + 20_000, 8],
    [-3_600_000, -1],
    [30 * 60_000, undefined],
    [8 * 3_600_000 + 300_000, undefined],
    [24 * 3_600_000, undefined],
    [0, undefined],
  ])('of a skew of %i ms suspects %s whole hours', (skew, hours) => {
    expect(read(timeAnswer(at + skew), at).suspectedHourOffset).toBe(hours);
  });

  it.each([
    ['CST-8', '2025-02-01T07:59:58', false, 0],
    ['CST-08:00:00', '2025-02-01T07:59:58', false, 0],
    ['&lt;+0530&gt;-5:30', '2025-02-01T05:29:58', false, 0],
    ['EST5EDT,M3.2.0,M11.1.0', '2025-01-31T19:59:58', true, 0],
    ['UTC', '2025-01-31T23:59:58', false, 0],
    ['CST-8', '2025-02-01T08:59:58', false, 3_600_000],
  ])('works UTC out of local time in %s', (zone, time, daylight, skew) => {
    const clock = read(local(zone, time, daylight), at);
    expect(clock).toMatchObject({ source: 'local-and-zone', deviceAt: at + skew, isNtp: false });
  });

  it.each([
    local('Asia/Shanghai', '2025-02-01T07:59:58'),
    local('CST-8', '2025-13-01T07:59:58'),
    '<tds:GetSystemDateAndTimeResponse></tds:GetSystemDateAndTimeResponse>',
  ])('refuses an answer without a usable time', (answer) => {
    expect(() => read(answer, at)).toThrow(expect.objectContaining({ code: 'protocol' }));
  });
});
