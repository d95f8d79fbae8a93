/** Wall-clock dates of the site. `zone` is an IANA name; instants are epoch ms. */

const dayFormats = new Map<string, Intl.DateTimeFormat>();
const clockFormats = new Map<string, Intl.DateTimeFormat>();

/** The calendar day at `at` in `zone`, as YYYY-MM-DD. */
export function siteDay(at: number, zone: string): string {
  let format = dayFormats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    dayFormats.set(zone, format);
  }
  return format.format(at);
}

/** What a wall clock in `zone` shows at `at`, as `2026-11-24 23:59:30`. */
export function siteClock(at: number, zone: string): string {
  let format = clockFormats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'medium',
    });
    clockFormats.set(zone, format);
  }
  return format.format(at);
}
