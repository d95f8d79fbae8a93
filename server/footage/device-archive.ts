import { setTimeout as sleep } from 'node:timers/promises';
import type { Now } from '#api/clock.ts';
import { toAppError } from '#api/http/error-handler.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError, MediaError } from '#media/errors.ts';
import { dayMs, matchRecordings, skewToUse } from './device-archive-rules.ts';
import type { ArchiveRow, DeviceArchiveStore } from './device-archive-store.ts';
import { clip, mergeSpans, type SpanMs } from './spans.ts';
import type { ArchivedDevice, ArchiveSource } from './types.ts';

/** What a device said it holds of a channel, in our clock. */
export interface Held {
  /** 'none': the device keeps no recordings of this channel. 'unknown': it could not be asked yet. */
  readonly state: 'current' | 'stale' | 'unknown' | 'none';
  /** The oldest answer used here, epoch ms; null: none. */
  readonly askedAt: number | null;
  /** Device minus server, with which spans were placed; null: unknown. */
  readonly clockSkewMs: number | null;
  /** Registered code of why the last asking failed; null when it did not. */
  readonly problem: string | null;
  /** Merged, ascending, cut to the range. May hold small holes where the device only told its first and last moment. */
  readonly spans: readonly SpanMs[];
  /** The same by recording, in the device's clock. */
  readonly recordings: readonly { readonly token: string; readonly spans: readonly SpanMs[] }[];
}

/** How long to wait for devices, and whether also for those that failed the last time. */
export interface Patience {
  readonly waitMs: number;
  readonly isPatient: boolean;
}

/** Knows what devices hold of their channels, from the database; asks the devices in the background. */
export interface DeviceArchive {
  /** As last told: never waits for a device. */
  held(channelId: string, range: SpanMs): Promise<Held>;
  /**
   * Has the devices of these channels asked for what is not known or old. Resolves when that is done or has failed, at the latest after
   * `waitMs`; the asking goes on. A device that failed the last time is waited for only with patience. Never rejects.
   */
  refresh(channelIds: readonly string[], range: SpanMs, wait: Patience): Promise<void>;
  close(): Promise<void>;
}

const conversationMs = 30_000;
/** What may still grow is asked again after this; also how long a device that failed is left alone. */
const freshMs = 60_000;
const failedMs = 30_000;
/** Old days only lose footage, when the device overwrites it. */
const oldDayMs = 6 * 3_600_000;
/** A device without recordings may get a card some day. */
const noneMs = 6 * 3_600_000;
const mostDays = 40;
const unknown: Held = {
  state: 'unknown',
  askedAt: null,
  clockSkewMs: null,
  problem: null,
  spans: [],
  recordings: [],
};

export function createDeviceArchive(options: {
  store: DeviceArchiveStore;
  archives: ArchiveSource;
  /** The device's clock was set, or found wrong: what was fetched lies at wrong times. */
  onClockMoved: (channelIds: readonly string[]) => Promise<void>;
  now: Now;
  log: Logger;
}): DeviceArchive {
  const { store, archives, onClockMoved, now, log } = options;
  const closing = new AbortController();
  /** The last conversation of each device: one at a time. */
  const asking = new Map<string, Promise<void>>();
  const failing = new Set<string>();

  const daysOf = (range: SpanMs): number[] => {
    const first = Math.floor(range.fromAt / dayMs) * dayMs;
    const days = Array.from({ length: Math.min(mostDays, Math.ceil((range.toAt - first) / dayMs)) });
    return days.map((_, index) => first + index * dayMs);
  };
  const isGrowing = (day: number) => day + dayMs > now() - dayMs;
  const isDayFresh = (day: number, askedAt: number) =>
    now() - askedAt < (isGrowing(day) ? freshMs : oldDayMs);

  function needsAsking(archive: ArchiveRow | undefined): boolean {
    if (!archive) return true;
    const ageMs = now() - archive.askedAt;
    if (archive.problem !== null) return ageMs >= failedMs;
    return archive.hasArchive === false ? ageMs >= noneMs : true;
  }

  async function converse(
    device: ArchivedDevice,
    channelIds: readonly string[],
    range: SpanMs,
  ): Promise<void> {
    const { deviceId } = device;
    const before = await store.find(deviceId);
    if (!needsAsking(before)) return;
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(conversationMs)]);
    const askedAt = now();
    const isListOld =
      before?.answeredAt === null || before === undefined || askedAt - before.answeredAt >= freshMs;
    const stale =
      before?.hasArchive && !isListOld ? await listStaleDays(channelIds, range, before) : undefined;
    if (stale?.length === 0) return;
    const base = { answeredAt: before?.answeredAt ?? null, hasArchive: before?.hasArchive ?? null };
    const usedSkewMs = before?.clockSkewMs ?? null;
    try {
      const onvif = device.open(signal);
      const { skewMs } = await onvif.getClock();
      const clockSkewMs = skewToUse(skewMs, usedSkewMs);
      if (usedSkewMs !== null && clockSkewMs !== usedSkewMs) {
        log.warn({ deviceId, fromMs: usedSkewMs, toMs: clockSkewMs }, 'the clock of a device was set');
        await onClockMoved(device.channels.map(({ channelId }) => channelId));
      }
      if (isListOld || clockSkewMs !== usedSkewMs) {
        const found = await onvif.archive.findRecordings({ signal });
        const matched = matchRecordings(found, device.channels);
        if (matched.length < found.length)
          log.info(
            { deviceId, recordings: found.length, matched: matched.length },
            'recordings of no known channel',
          );
        await store.putRecordings(
          device.channels.map(({ channelId }) => channelId),
          matched.map(({ channelId, recording }) => ({
            channelId,
            token: recording.token,
            fromDeviceAt: recording.fromDeviceAt ?? null,
            untilDeviceAt: recording.untilDeviceAt ?? null,
          })),
        );
      }
      failing.delete(deviceId);
      const archive = { askedAt, answeredAt: now(), hasArchive: true, clockSkewMs, problem: null };
      await store.put(deviceId, archive);
      for (const part of await listStaleDays(channelIds, range, archive))
        await askCoverage(onvif, part, clockSkewMs, signal);
    } catch (error) {
      if (closing.signal.aborted) return;
      failing.add(deviceId);
      if (isMediaError(error, 'not-supported')) {
        await store.put(deviceId, {
          ...base,
          askedAt,
          answeredAt: now(),
          hasArchive: false,
          clockSkewMs: usedSkewMs,
          problem: null,
        });
        return;
      }
      const known = isMediaError(error, 'cancelled')
        ? new MediaError('timeout', 'the device answers too slowly')
        : error;
      const { code } = toAppError(known);
      if (!isMediaError(error))
        log.error({ deviceId, err: error }, 'the archive of a device could not be asked');
      else log.info({ deviceId, code, error: error.message }, 'the archive of a device could not be asked');
      const latest = await store.find(deviceId);
      await store.put(deviceId, { ...base, clockSkewMs: usedSkewMs, ...latest, askedAt, problem: code });
    }
  }

  /** Stretches of days, per recording, of which the last answer is missing or old. */
  async function listStaleDays(channelIds: readonly string[], range: SpanMs, archive: ArchiveRow) {
    const skewMs = archive.clockSkewMs ?? 0;
    const deviceRange = { fromAt: range.fromAt + skewMs, toAt: range.toAt + skewMs };
    const days = daysOf(deviceRange);
    const parts: { channelId: string; token: string; days: number[] }[] = [];
    for (const channelId of channelIds) {
      const known = await store.listCoverage(channelId, { fromAt: days[0] ?? 0, toAt: days.at(-1) ?? 0 });
      for (const recording of await store.listRecordings(channelId)) {
        const stale = days.filter((day) => {
          const from = recording.fromDeviceAt ?? -Infinity;
          const until = recording.untilDeviceAt ?? Infinity;
          if (day >= until || day + dayMs <= from) return false;
          const row = known.find((each) => each.token === recording.token && each.dayDeviceAt === day);
          return !row || !isDayFresh(day, row.askedAt);
        });
        if (stale.length > 0) parts.push({ channelId, token: recording.token, days: stale });
      }
    }
    return parts;
  }

  async function askCoverage(
    onvif: ReturnType<ArchivedDevice['open']>,
    part: { channelId: string; token: string; days: number[] },
    clockSkewMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const askedAt = now();
    // A recording that goes on has no end yet; devices then give the end of what was asked for.
    const past = { fromAt: 0, toAt: askedAt + clockSkewMs };
    for (const run of runsOfDays(part.days)) {
      const range = { fromDeviceAt: run.fromAt, untilDeviceAt: run.toAt };
      const { spans, isExact } = await onvif.archive.findCoverage(part.token, range, { signal });
      const told = spans.map((span) => ({ fromAt: span.fromDeviceAt, toAt: span.untilDeviceAt }));
      const held = told.flatMap((span) => clip(span, past) ?? []);
      for (let day = run.fromAt; day < run.toAt; day += dayMs)
        await store.putCoverage(part.channelId, {
          token: part.token,
          dayDeviceAt: day,
          askedAt,
          isExact,
          spans: mergeSpans(held.flatMap((span) => clip(span, { fromAt: day, toAt: day + dayMs }) ?? [])),
        });
    }
  }

  async function held(channelId: string, range: SpanMs): Promise<Held> {
    const device = archives.find(channelId);
    if (!device) return { ...unknown, state: 'none' };
    const archive = await store.find(device.deviceId);
    if (!archive) return unknown;
    const { clockSkewMs, problem } = archive;
    if (archive.hasArchive === false) return { ...unknown, state: 'none' };
    if (archive.hasArchive === null || clockSkewMs === null) return { ...unknown, problem };
    const deviceRange = { fromAt: range.fromAt + clockSkewMs, toAt: range.toAt + clockSkewMs };
    const days = daysOf(deviceRange);
    const rows = await store.listCoverage(channelId, { fromAt: days[0] ?? 0, toAt: days.at(-1) ?? 0 });
    const recordings: { token: string; spans: SpanMs[] }[] = [];
    const known = await store.listRecordings(channelId);
    if (known.length === 0) return { ...unknown, state: 'none' };
    let isMissing = false;
    let isOld = problem !== null;
    let askedAt: number | null = null;
    for (const { token, fromDeviceAt, untilDeviceAt } of known) {
      const spans: SpanMs[] = [];
      for (const day of days) {
        const isOutside = day >= (untilDeviceAt ?? Infinity) || day + dayMs <= (fromDeviceAt ?? -Infinity);
        const row = rows.find((each) => each.token === token && each.dayDeviceAt === day);
        if (!row) {
          isMissing ||= !isOutside;
          continue;
        }
        isOld ||= !isDayFresh(day, row.askedAt);
        askedAt = Math.min(askedAt ?? Infinity, row.askedAt);
        spans.push(...row.spans.flatMap((span) => clip(span, deviceRange) ?? []));
      }
      recordings.push({ token, spans: mergeSpans(spans) });
    }
    const all = recordings.flatMap(({ spans }) => spans);
    const spans = mergeSpans(
      all.map((span) => ({ fromAt: span.fromAt - clockSkewMs, toAt: span.toAt - clockSkewMs })),
    );
    const state = isMissing ? 'unknown' : isOld ? 'stale' : 'current';
    return { state, askedAt: askedAt ?? archive.answeredAt, clockSkewMs, problem, spans, recordings };
  }

  return {
    held,
    async refresh(channelIds, range, { waitMs, isPatient }) {
      const byDevice = new Map<string, { device: ArchivedDevice; channelIds: string[] }>();
      for (const channelId of channelIds) {
        const device = archives.find(channelId);
        if (!device) continue;
        const entry = byDevice.get(device.deviceId) ?? { device, channelIds: [] };
        entry.channelIds.push(channelId);
        byDevice.set(device.deviceId, entry);
      }
      const past = { fromAt: range.fromAt, toAt: Math.min(range.toAt, now()) };
      if (byDevice.size === 0 || past.toAt <= past.fromAt) return;
      const all = [...byDevice.values()].map((entry) => {
        const { deviceId } = entry.device;
        const isWaited = isPatient || !failing.has(deviceId);
        const before = asking.get(deviceId) ?? Promise.resolve();
        const turn = before
          .then(() => (closing.signal.aborted ? undefined : converse(entry.device, entry.channelIds, past)))
          .catch((error: unknown) =>
            log.error({ deviceId, err: error }, 'what a device holds could not be kept'),
          );
        asking.set(deviceId, turn);
        void turn.then(() => {
          if (asking.get(deviceId) === turn) asking.delete(deviceId);
        });
        return isWaited ? turn : undefined;
      });
      await Promise.race([Promise.all(all), sleep(waitMs, undefined, { ref: false })]);
    },
    async close() {
      closing.abort();
      await Promise.all(asking.values());
    },
  };
}

function runsOfDays(days: readonly number[]): SpanMs[] {
  return mergeSpans(days.map((day) => ({ fromAt: day, toAt: day + dayMs })));
}
