import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import { continuityOf, type DayContinuity } from './continuity.ts';
import type { HoldRecord, HoldStore } from './hold-store.ts';
import { dayMs, forecastDays, type KeepRule } from './retention.ts';
import type { RetentionRunner } from './retention-runner.ts';
import type { RetentionClass, RetentionStore } from './retention-store.ts';
import type { SegmentStore } from './segment-store.ts';
import type { By, FootageService } from './service.ts';
import { daysBetween } from './site-days.ts';

/** A class with what its footage comes to; unknown figures are null. */
export interface ClassStatus extends RetentionClass {
  readonly usedBytes: number;
  readonly bytesPerDay: number | null;
  readonly expectedDays: number | null;
  readonly oldestAt: number | null;
}
export interface KeepingStatus {
  readonly classes: readonly ClassStatus[];
  readonly expiringHolds: readonly HoldRecord[];
}

const rateWindowMs = dayMs;
const expiringMs = 3 * dayMs;
const mostReportDays = 31;
const idPattern = /^\d{4}-\d{2}-\d{2}$/;

/** For how long footage is kept, what that means for the room there is, and whether it is whole. */
export function createKeepingService(options: {
  db: Knex;
  classes: RetentionStore;
  holds: HoldStore;
  segments: SegmentStore;
  retention: Pick<RetentionRunner, 'status'>;
  footage: Pick<FootageService, 'timeline'>;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, classes, holds, segments, bus, audit, now } = options;

  async function write(
    action: string,
    by: By,
    detail: Record<string, unknown>,
    work: (trx: Knex.Transaction) => Promise<void>,
  ): Promise<void> {
    await db.transaction(async (trx) => {
      await work(trx);
      await audit.record({ action, actor: by.actor, detail, request: by.request }, trx);
    });
    bus.emit({ name: 'settings.changed', key: 'retention' });
  }

  function check({ minDays, maxDays }: KeepRule): void {
    if (minDays > maxDays) throw new AppError('request.invalid', { fields: [{ path: '/maxDays' }] });
  }

  return {
    /** Every class with its use and forecast, and the holds that are over within three days. */
    async status(): Promise<KeepingStatus> {
      const [list, totals, rates, oldest, room, held] = await Promise.all([
        classes.list(),
        segments.totalsByChannel(),
        segments.bytesPerDayByChannel(now() - rateWindowMs),
        segments.oldestByChannel(),
        options.retention.status(),
        holds.listInForce(now()),
      ]);
      const loads = list.map((entry) => {
        const measured = entry.channelIds.flatMap((id) => rates.get(id) ?? []);
        const begun = entry.channelIds.flatMap((id) => oldest.get(id) ?? []);
        return {
          ...entry,
          usedBytes: entry.channelIds.reduce((sum, id) => sum + (totals.get(id)?.sizeBytes ?? 0), 0),
          bytesPerDay: measured.length === 0 ? null : measured.reduce((sum, rate) => sum + rate, 0),
          oldestAt: begun.length === 0 ? null : Math.min(...begun),
        };
      });
      const expected = forecastDays(loads, room.limitBytes);
      return {
        classes: loads.map((load) => ({ ...load, expectedDays: expected.get(load.id) ?? null })),
        expiringHolds: held.filter((hold) => hold.untilAt !== null && hold.untilAt <= now() + expiringMs),
      };
    },

    /** @throws AppError request.invalid when the minimum is over the maximum */
    async addClass(change: KeepRule & { name: string }, by: By): Promise<void> {
      check(change);
      const id = newId();
      await write('retention.class-added', by, { id, ...change }, (trx) =>
        classes.insert({ id, ...change }, by.actor.userId, now(), trx),
      );
    },

    /** Counts from the next look on: a shorter maximum deletes. @throws AppError not-found, request.invalid */
    async changeClass(id: string, change: KeepRule & { name: string }, by: By): Promise<void> {
      check(change);
      await write('retention.class-changed', by, { id, ...change }, async (trx) => {
        if (!(await classes.update({ id, ...change }, by.actor.userId, now(), trx)))
          throw new AppError('not-found');
      });
    },

    /** Its channels fall back to the default class. @throws AppError conflict for the default class or one that is not there */
    async removeClass(id: string, by: By): Promise<void> {
      await write('retention.class-removed', by, { id }, async (trx) => {
        if (!(await classes.remove(id, trx))) throw new AppError('conflict');
      });
    },

    /** Puts channels into a class. @throws AppError not-found when the class or a channel does not exist */
    async assign(id: string, channelIds: readonly string[], by: By): Promise<void> {
      const list = await classes.list();
      const known = new Set(list.flatMap((entry) => entry.channelIds));
      if (!list.some((entry) => entry.id === id) || !channelIds.every((channelId) => known.has(channelId)))
        throw new AppError('not-found');
      await write('retention.channels-assigned', by, { id, channelIds }, (trx) =>
        classes.assign(id, channelIds, trx),
      );
    },

    /**
     * Day by day (site zone), for one channel or for all, by channel and then day.
     * @param from first day, `to` last day, `YYYY-MM-DD`
     * @throws AppError footage.range-invalid when that is no range or over 31 days
     */
    async continuity(
      from: string,
      to: string,
      channelId?: string,
    ): Promise<(DayContinuity & { channelId: string; channelName: string })[]> {
      if (![from, to].every((day) => idPattern.test(day) && !Number.isNaN(Date.parse(day))))
        throw new AppError('footage.range-invalid', { problem: 'day' });
      if (Date.parse(to) - Date.parse(from) >= mostReportDays * dayMs)
        throw new AppError('footage.range-invalid', { problem: 'length', longestMs: mostReportDays * dayMs });
      const days = daysBetween(from, to, options.siteTimeZone);
      const [first, last] = [days[0], days.at(-1)];
      if (!first || !last) throw new AppError('footage.range-invalid', { problem: 'length' });
      const range = { fromAt: first.fromAt, toAt: last.toAt };
      const channels: { id: string; name: string }[] = await db('channels')
        .join('devices', 'devices.id', 'channels.device_id')
        .whereNull('devices.removed_at')
        .andWhere((where) => (channelId === undefined ? where : where.where('channels.id', channelId)))
        .orderBy(['channels.name', 'channels.id'])
        .select('channels.id', 'channels.name');
      const found: (DayContinuity & { channelId: string; channelName: string })[] = [];
      for (const channel of channels) {
        const [timeline] = await options.footage.timeline([channel.id], range);
        for (const day of continuityOf(timeline ?? { gaps: [] }, days, now()))
          found.push({ channelId: channel.id, channelName: channel.name, ...day });
      }
      return found;
    },
  };
}
export type KeepingService = ReturnType<typeof createKeepingService>;
