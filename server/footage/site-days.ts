import type { SpanMs } from './spans.ts';

const dayMs = 24 * 3600 * 1000;

/** The calendar fields of an instant in `zone`, as text of two digits (year: four). */
export interface ZonedParts {
  readonly year: string;
  readonly month: string;
  readonly day: string;
  readonly hour: string;
  readonly minute: string;
  readonly second: string;
}

/** What a wall clock in `zone` (IANA) shows at `at` (epoch ms). */
export function zonedParts(at: number, zone: string): ZonedParts {
  const parts = formatterOf(zone).formatToParts(at);
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.find((part) => part.type === type)?.value ?? '';
  return {
    year: of('year'),
    month: of('month'),
    day: of('day'),
    hour: of('hour'),
    minute: of('minute'),
    second: of('second'),
  };
}

/**
 * The days of `month` (`YYYY-MM`) in `zone`, each with the instants it spans: 23 or 25 hours long where clocks change, and starting
 * at 01:00 where midnight is skipped.
 */
export function daysOfMonth(month: string, zone: string): (SpanMs & { readonly day: string })[] {
  const [year = 0, monthNumber = 0] = month.split('-').map(Number);
  const count = new Date(Date.UTC(year, monthNumber, 0)).getUTCDate();
  return Array.from({ length: count }, (_, index) => ({
    day: `${month}-${String(index + 1).padStart(2, '0')}`,
    fromAt: startOfDay(Date.UTC(year, monthNumber - 1, index + 1), zone),
    toAt: startOfDay(Date.UTC(year, monthNumber - 1, index + 2), zone),
  }));
}

/**
 * The days from `from` to `to` (`YYYY-MM-DD`, both included) in `zone`, each with the instants it spans; none when `to` comes first or a
 * day does not exist.
 */
export function daysBetween(from: string, to: string, zone: string): (SpanMs & { readonly day: string })[] {
  const days: (SpanMs & { day: string })[] = [];
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= Date.parse(`${to}T00:00:00Z`); at += dayMs)
    days.push({
      day: new Date(at).toISOString().slice(0, 10),
      fromAt: startOfDay(at, zone),
      toAt: startOfDay(at + dayMs, zone),
    });
  return days;
}

/** First instant of the calendar day that `utcMidnight` names, in `zone`. */
function startOfDay(utcMidnight: number, zone: string): number {
  const wanted = new Date(utcMidnight).toISOString().slice(0, 10);
  // The offset in force is one of those a day before and a day after; the earliest instant already on that day is its start.
  const candidates = [-dayMs, dayMs].map((shift) => utcMidnight - offsetMs(utcMidnight + shift, zone));
  const first = candidates
    .toSorted((a, b) => a - b)
    .find((at) => {
      const { year, month, day } = zonedParts(at, zone);
      return `${year}-${month}-${day}` === wanted;
    });
  return first ?? Math.max(...candidates);
}

function offsetMs(at: number, zone: string): number {
  const { year, month, day, hour, minute, second } = zonedParts(at, zone);
  const wall = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  return wall - Math.floor(at / 1000) * 1000;
}

const formatters = new Map<string, Intl.DateTimeFormat>();
function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formatters.set(zone, formatter);
  }
  return formatter;
}
