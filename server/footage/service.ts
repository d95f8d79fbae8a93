import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { toWireOrNull, type Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { Principal } from '#api/http/guard.ts';
import type { FastifyRequest } from 'fastify';
import type { Knex } from 'knex';
import type { ChannelSource } from './types.ts';
import type { DeviceFootage, DeviceOffer } from './device-footage.ts';
import type { HoldRecord, HoldStore } from './hold-store.ts';
import type { OpenFootage } from './open-footage.ts';
import type { RunStore } from './run-store.ts';
import type { SegmentStore } from './segment-store.ts';
import { daysOfMonth } from './site-days.ts';
import { clip, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { buildTimeline, continuousToleranceMs, type TimelineParts } from './timeline.ts';

const longestTimelineMs = 31 * 86_400_000 + 3_600_000;
/** How long a page may wait for devices that were not asked before. */
const askMs = 500;
const longestHoldMs = 366 * 86_400_000;

/** A channel's timeline, with what its device offers beside our own footage. */
export interface ChannelFootage extends TimelineParts {
  readonly channelId: string;
  readonly offer: DeviceOffer;
  /** What could be restored from a copy. */
  readonly copiedSpans: readonly SpanMs[];
}

/** Who does something, and by which request. */
export interface By {
  readonly actor: Principal;
  readonly request: Pick<FastifyRequest, 'ip' | 'id'>;
}

/** Search in the recordings and keeping them from deletion. Instants are epoch ms. */
export function createFootageService(options: {
  db: Knex;
  segments: SegmentStore;
  runs: RunStore;
  holds: HoldStore;
  open: OpenFootage;
  devices: DeviceFootage;
  /** Stretches of which a copy lies somewhere else, to be restored from. */
  listCopied: (channelId: string, range: SpanMs) => Promise<SpanMs[]>;
  channels: ChannelSource;
  audit: AuditTrail;
  siteTimeZone: string;
  now: Now;
}) {
  const { db, segments, runs, holds, open, devices, channels, audit, siteTimeZone, now } = options;

  async function timelineOf(channelId: string, range: SpanMs): Promise<ChannelFootage> {
    const [recorded, openSpans, runRows, removals, held, offer, copied] = await Promise.all([
      segments.listSpans(channelId, range),
      open.spansOf(channelId),
      runs.listFor(channelId, range),
      segments.listRemovals(channelId, range),
      holds.listInForce(now(), channelId),
      devices.offer(channelId, range),
      options.listCopied(channelId, range),
    ]);
    const parts = buildTimeline({
      range,
      now: now(),
      recorded: [...recorded, ...openSpans.filter((span) => isOverlapping(span, range))],
      onDevice: offer.spans,
      runs: runRows,
      removals,
      holds: held,
    });
    const copiedSpans = mergeSpans(copied, continuousToleranceMs).flatMap((span) => clip(span, range) ?? []);
    return { channelId, ...parts, offer, copiedSpans };
  }

  return {
    /**
     * What exists and what is missing, one entry for each channel in the order asked; an unknown channel has nothing. Of devices' own
     * recordings it tells what is known; they are asked in the background, and only half a second is waited for them.
     * @throws AppError footage.range-invalid for an empty range or one over 31 days
     */
    async timeline(channelIds: readonly string[], range: SpanMs): Promise<ChannelFootage[]> {
      checkRange(range, longestTimelineMs);
      await devices.refresh(channelIds, range, { waitMs: askMs, isPatient: false });
      const found: ChannelFootage[] = [];
      for (const channelId of channelIds) found.push(await timelineOf(channelId, range));
      return found;
    },

    /** Days of `month` (YYYY-MM, site zone) that hold footage of the channel, ascending. */
    async days(channelId: string, month: string): Promise<string[]> {
      const openSpans = await open.spansOf(channelId);
      const days = daysOfMonth(month, siteTimeZone);
      const [first, last] = [days[0], days.at(-1)];
      const [covered, offer] = await Promise.all([
        segments.findCovered(channelId, days),
        first && last && devices.offer(channelId, { fromAt: first.fromAt, toAt: last.toAt }),
      ]);
      const indexed = new Set(covered);
      const others = [...openSpans, ...(offer?.spans ?? [])];
      return days
        .filter((day, index) => indexed.has(index) || others.some((span) => isOverlapping(span, day)))
        .map((day) => day.day);
    },

    /** Newest first, released ones included. */
    listHolds: (): Promise<HoldRecord[]> => holds.list(),

    /**
     * Keeps a stretch from being deleted, footage that is still to come included.
     * @param ask.untilAt when the hold ends by itself; null: never
     * @throws AppError not-found, footage.range-invalid
     */
    async hold(
      ask: SpanMs & { channelId: string; reason: string; untilAt: number | null },
      by: By,
    ): Promise<HoldRecord> {
      checkRange(ask, longestHoldMs);
      if (ask.untilAt !== null && ask.untilAt <= now())
        throw new AppError('footage.range-invalid', { problem: 'until' });
      await channels.get(ask.channelId);
      const { actor, request } = by;
      const id = await db.transaction(async (trx) => {
        const holdId = await holds.insert({ ...ask, createdBy: actor.userId }, now(), trx);
        await audit.record(
          {
            action: 'footage.held',
            actor,
            subjectType: 'channel',
            subjectId: ask.channelId,
            detail: {
              holdId,
              ...spanDetail(ask),
              reason: ask.reason,
              untilAt: toWireOrNull(ask.untilAt),
            },
            request,
          },
          trx,
        );
        return holdId;
      });
      return getHold(id);
    },

    /** Lets a held stretch go; the record stays. @throws AppError not-found, conflict when it was released before */
    async release(id: string, by: By): Promise<HoldRecord> {
      const hold = await getHold(id);
      const { actor, request } = by;
      await db.transaction(async (trx) => {
        if (!(await holds.release(id, now(), trx))) throw new AppError('conflict');
        await audit.record(
          {
            action: 'footage.released',
            actor,
            subjectType: 'channel',
            subjectId: hold.channelId,
            detail: { holdId: id, ...spanDetail(hold) },
            request,
          },
          trx,
        );
      });
      return getHold(id);
    },
  };

  async function getHold(id: string): Promise<HoldRecord> {
    const hold = await holds.find(id);
    if (!hold) throw new AppError('not-found');
    return hold;
  }
}
export type FootageService = ReturnType<typeof createFootageService>;

/** @throws AppError footage.range-invalid, saying how long it may be, when `range` is empty or longer */
export function checkRange(range: SpanMs, longestMs: number): void {
  const lengthMs = range.toAt - range.fromAt;
  if (!(lengthMs > 0) || lengthMs > longestMs)
    throw new AppError('footage.range-invalid', { problem: 'length', longestMs });
}

/** A span as the audit trail shows it. */
export function spanDetail(span: SpanMs): { fromAt: string; toAt: string } {
  return { fromAt: new Date(span.fromAt).toISOString(), toAt: new Date(span.toAt).toISOString() };
}
