/** An instant as the API gives it (ISO 8601 with offset) or epoch ms. */
export type InstantValue = string | number;
type Maybe<T> = T | null | undefined;

export interface FormatOptions {
  readonly locale: string;
  /** IANA zone all wall-clock text is in: the site's, never the browser's. */
  readonly timeZone: string;
  /** What stands for a value nobody knows. Never 0, never empty. */
  readonly unknown: string;
}

const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/**
 * Makes the formatters of one language and zone. Null and undefined give `unknown` everywhere.
 * Dates are `2026-11-24 16:05:06` in both languages: the order cannot be misread and columns line up.
 */
export function createFormat({ locale, timeZone, unknown }: FormatOptions) {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const weekday = new Intl.DateTimeFormat(locale, { timeZone, weekday: 'short' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const integer = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const oneDigit = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const unitFormats = new Map<string, Intl.NumberFormat>();

  function unit(value: number, name: 'day' | 'hour' | 'minute' | 'second' | 'millisecond'): string {
    let format = unitFormats.get(name);
    if (!format) {
      format = new Intl.NumberFormat(locale, {
        style: 'unit',
        unit: name,
        unitDisplay: 'short',
        maximumFractionDigits: name === 'day' ? 1 : 0,
      });
      unitFormats.set(name, format);
    }
    return format.format(value);
  }

  function wallClock(value: InstantValue): { date: string; time: string } {
    const fields: Record<string, string> = {};
    for (const { type, value: text } of parts.formatToParts(new Date(value))) fields[type] = text;
    return {
      date: `${fields.year}-${fields.month}-${fields.day}`,
      time: `${fields.hour}:${fields.minute}:${fields.second}`,
    };
  }

  function known<T>(value: Maybe<T>, format: (value: T) => string): string {
    return value === null || value === undefined ? unknown : format(value);
  }

  return {
    /** `2026-11-24 16:05:06` */
    dateTime: (value: Maybe<InstantValue>) =>
      known(value, (at) => {
        const { date, time } = wallClock(at);
        return `${date} ${time}`;
      }),
    /** `2026-11-24` */
    date: (value: Maybe<InstantValue>) => known(value, (at) => wallClock(at).date),
    /** `16:05:06` */
    time: (value: Maybe<InstantValue>) => known(value, (at) => wallClock(at).time),
    weekday: (value: Maybe<InstantValue>) => known(value, (at) => weekday.format(new Date(at))),
    /** "3 minutes ago"; beyond a week the date, since nobody counts "23 days ago". */
    relative: (value: Maybe<InstantValue>, nowMs: number) =>
      known(value, (at) => {
        const elapsedMs = new Date(at).getTime() - nowMs;
        const size = Math.abs(elapsedMs);
        if (size < minuteMs) return relative.format(Math.trunc(elapsedMs / 1000), 'second');
        if (size < hourMs) return relative.format(Math.trunc(elapsedMs / minuteMs), 'minute');
        if (size < dayMs) return relative.format(Math.trunc(elapsedMs / hourMs), 'hour');
        if (size < 7 * dayMs) return relative.format(Math.trunc(elapsedMs / dayMs), 'day');
        return wallClock(at).date;
      }),
    /** The two largest units: "2 hr 5 min", "45 sec". Negative counts as its size. */
    duration: (value: Maybe<number>) =>
      known(value, (ms) => {
        const size = Math.abs(ms);
        if (size < 1000) return unit(size, 'millisecond');
        if (size < minuteMs) return unit(Math.floor(size / 1000), 'second');
        const [big, small] =
          size < hourMs
            ? [unit(Math.floor(size / minuteMs), 'minute'), Math.floor((size % minuteMs) / 1000)]
            : size < dayMs
              ? [unit(Math.floor(size / hourMs), 'hour'), Math.floor((size % hourMs) / minuteMs)]
              : [unit(Math.floor(size / dayMs), 'day'), Math.floor((size % dayMs) / hourMs)];
        if (small === 0) return big;
        return `${big} ${unit(small, size < hourMs ? 'second' : size < dayMs ? 'minute' : 'hour')}`;
      }),
    /** A number of days, as "3.5 days". */
    days: (value: Maybe<number>) => known(value, (days) => unit(days, 'day')),
    /** Decimal units, as disks are sold: "1.5 GB". */
    bytes: (value: Maybe<number>) =>
      known(value, (bytes) => {
        let size = bytes;
        let step = 0;
        while (size >= 1000 && step < byteUnits.length - 1) {
          size /= 1000;
          step += 1;
        }
        return `${(size < 100 && step > 0 ? oneDigit : integer).format(size)} ${byteUnits[step]}`;
      }),
    number: (value: Maybe<number>) => known(value, (count) => integer.format(count)),
    /** 0..1 as "45 %". */
    percent: (value: Maybe<number>) => known(value, (share) => `${integer.format(share * 100)} %`),
    text: (value: Maybe<string>) => known(value, (text) => (text === '' ? unknown : text)),
  };
}

export type Format = ReturnType<typeof createFormat>;
