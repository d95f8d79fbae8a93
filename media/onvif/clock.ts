import { MediaError } from '#media/errors.ts';
import { NAMESPACES } from './namespaces.ts';
import type { SoapClient } from './soap.ts';
import { find, number, text, type XmlNode } from './xml.ts';

/** The device's clock against ours, at the moment it was asked. */
export interface DeviceClock {
  /** What the device's clock showed (epoch ms, 1 s resolution). */
  deviceAt: number;
  /** Device minus ours, taken at the middle of the round trip; positive: the device is ahead. Good to half the round trip plus 1 s. */
  skewMs: number;
  roundTripMs: number;
  /** 'local-and-zone': the device left out UTC, and it was worked out from its local time and its own zone text. */
  source: 'utc' | 'local-and-zone';
  isNtp?: boolean;
  /** POSIX zone text of the device, as given. */
  timeZone?: string;
  /** Set when the skew is a whole number of hours within two minutes: most likely local time sits in the UTC field, not a slow clock. */
  suspectedHourOffset?: number;
}

/**
 * Asks the time without credentials (a token cannot be made before the clock is known) and measures the skew.
 * @throws MediaError: those of SoapClient.call; 'protocol' if the answer holds no usable time
 */
export async function readClock(
  soap: SoapClient,
  xaddr: string,
  options: { now?: () => number; signal?: AbortSignal; deadlineMs?: number } = {},
): Promise<DeviceClock> {
  const now = options.now ?? Date.now;
  const sentAt = now();
  const response = await soap.call({
    xaddr,
    operation: 'GetSystemDateAndTime',
    action: `${NAMESPACES.tds}/GetSystemDateAndTime`,
    body: `<GetSystemDateAndTime xmlns="${NAMESPACES.tds}"/>`,
    isAnonymous: true,
    signal: options.signal,
    deadlineMs: options.deadlineMs,
  });
  return clockFrom(response, sentAt, now());
}

/** Reads a GetSystemDateAndTimeResponse that was asked for at `sentAt` and arrived at `receivedAt`. @throws MediaError 'protocol' */
export function clockFrom(response: XmlNode, sentAt: number, receivedAt: number): DeviceClock {
  const root = find(response, 'SystemDateAndTime');
  const timeZone = text(root, 'TimeZone', 'TZ');
  const utc = instantOf(find(root, 'UTCDateTime'));
  const local = instantOf(find(root, 'LocalDateTime'));
  const zoneMs =
    timeZone === undefined ? undefined : posixOffsetMs(timeZone, text(root, 'DaylightSavings') === 'true');
  const fromLocal = local === undefined || zoneMs === undefined ? undefined : local + zoneMs;
  const deviceAt = utc ?? fromLocal;
  if (deviceAt === undefined) throw new MediaError('protocol', 'the device gave no usable date and time');
  const roundTripMs = Math.max(0, receivedAt - sentAt);
  // The device cuts to whole seconds, so on average it is half a second later than it says.
  const skewMs = Math.round(deviceAt + 500 - (sentAt + roundTripMs / 2));
  const kind = text(root, 'DateTimeType');
  const hours = Math.round(skewMs / 3_600_000);
  const isHourOffset =
    hours !== 0 && Math.abs(hours) <= 14 && Math.abs(skewMs - hours * 3_600_000) <= 120_000;
  return {
    deviceAt,
    skewMs,
    roundTripMs,
    source: utc === undefined ? 'local-and-zone' : 'utc',
    isNtp: kind === undefined ? undefined : kind === 'NTP',
    timeZone,
    suspectedHourOffset: isHourOffset ? hours : undefined,
  };
}

/** Every field is checked and used as it is: month is 1-12 here, and no field of our own clock mixes in. */
function instantOf(node: XmlNode | undefined): number | undefined {
  const [year, month, day] = ['Year', 'Month', 'Day'].map((name) => number(node, 'Date', name));
  const [hour, minute, second] = ['Hour', 'Minute', 'Second'].map((name) => number(node, 'Time', name));
  if (year === undefined || month === undefined || day === undefined) return undefined;
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  const isInRange =
    year >= 1970 &&
    year <= 2200 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= 31 &&
    hour >= 0 &&
    hour <= 24 &&
    minute >= 0 &&
    minute <= 59 &&
    second >= 0 &&
    second <= 61;
  return isInRange ? Date.UTC(year, month - 1, day, hour, minute, second) : undefined;
}

/**
 * What must be added to local time to get UTC, in ms: `CST-8` is 8 h east, so -8 h. Daylight saving is taken as one hour.
 * @returns undefined for zones by name
 * Source: POSIX.1-2017 base definitions 8.3, TZ.
 */
function posixOffsetMs(zone: string, isDaylight: boolean): number | undefined {
  const match = /^(?:[A-Za-z]{3,}|<[^>]{1,20}>)([+-]?)(\d{1,2})(?::?(\d{2}))?(?::(\d{2}))?/.exec(zone);
  if (!match) return /^(UTC|GMT|Z)$/i.test(zone) ? 0 : undefined;
  const [, sign, hours, minutes = '0'] = match;
  if (Number(hours) > 24) return undefined;
  const magnitude = Number(hours) * 3_600_000 + Number(minutes) * 60_000;
  return (sign === '-' ? -magnitude : magnitude) - (isDaylight ? 3_600_000 : 0);
}
