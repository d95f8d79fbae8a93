import { statfs, unlink } from 'node:fs/promises';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { toWire, type Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import type { SettingsService } from '#api/settings/service.ts';
import type { ExportStore } from './export-store.ts';
import type { HoldStore } from './hold-store.ts';
import { pathInside } from './paths.ts';
import {
  bytesToFree,
  chooseDeletions,
  dayMs,
  judgeRoom,
  type DeletionReason,
  type KeepRule,
  type Protection,
  type RoomVerdict,
} from './retention.ts';
import { createQueue } from './retention-queue.ts';
import type { RetentionStore } from './retention-store.ts';
import type { Segment, SegmentStore } from './segment-store.ts';
import { spanDetail } from './service.ts';

/** Room for recordings; null is what nobody knows. */
export interface RoomStatus extends RoomVerdict {
  readonly usedBytes: number;
  readonly freeBytes: number | null;
  readonly bytesPerDay: number | null;
  readonly oldestAt: number | null;
}

export interface RetentionRunner {
  start(): void;
  /** Looks once, now: deletes what must go. Looks never overlap. @returns how many files went */
  look(): Promise<number>;
  /** Measured now. */
  status(): Promise<RoomStatus>;
  close(): Promise<void>;
}

const calmMs = 10_000;
const tightMs = 1_000;
const batchSize = 500;
const parallelUnlinks = 8;
const rateWindowMs = 3_600_000;
/** Room made ahead: so many seconds of what all cameras write, but never more than this part of all there is. */
const headroomSeconds = 20;
const headroomPart = 0.1;
/** A breach of the minimum is on the trail at once and then at most this often, and shown until this long after the last one. */
const breachNoteMs = 3_600_000;

const causes: Readonly<Record<DeletionReason, string>> = {
  age: 'deleted-by-retention',
  space: 'deleted-by-retention',
  breach: 'deleted-before-minimum',
};

/**
 * Deletes the footage that must make room and what is older than its class allows, and ends holds whose time is over. Rows go first, in
 * one step with a last look at the holds, then files: a hold that comes in between protects, and what a crash leaves is a file without a
 * row, which start-up takes back. Looks every 10 s, every second while room is short; says on the bus when the level of room changes.
 */
export function createRetentionRunner(options: {
  db: Knex;
  recordingsDir: string;
  segments: SegmentStore;
  holds: HoldStore;
  classes: Pick<RetentionStore, 'list'>;
  exports: Pick<ExportStore, 'listProtections'>;
  settings: SettingsService;
  /** Bytes of the files being written now; they count as used but cannot go. */
  openBytes: () => Promise<number>;
  isDiskFull: () => boolean;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): RetentionRunner {
  const { db, recordingsDir, segments, holds, classes, settings, bus, audit, now, log } = options;
  const undeletable = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<number> = Promise.resolve(0);
  const closing = new AbortController();
  let isStuck = false;
  let level: RoomVerdict['level'] = 'ok';
  let breach: { lastAt: number; notedAt: number; files: number; sizeBytes: number } | undefined;

  async function freeBytes(): Promise<number | null> {
    try {
      const { bavail, bsize } = await statfs(recordingsDir);
      return bavail * bsize;
    } catch (error) {
      log.error({ err: error }, 'the recordings disk does not say how much is free');
      return null;
    }
  }

  async function listRules(): Promise<Map<string, KeepRule>> {
    const all = await classes.list();
    return new Map(
      all.flatMap(({ minDays, maxDays, channelIds }) =>
        channelIds.map((id) => [id, { minDays, maxDays }] as const),
      ),
    );
  }

  async function listProtections(): Promise<Protection[]> {
    const [held, exported] = await Promise.all([holds.listInForce(now()), options.exports.listProtections()]);
    return [...held, ...exported];
  }

  async function measure() {
    const [totals, openBytes, free, rates, rules] = await Promise.all([
      segments.totals(),
      options.openBytes(),
      freeBytes(),
      segments.bytesPerDayByChannel(now() - rateWindowMs),
      listRules(),
    ]);
    const sumOf = (part: (rate: number, id: string) => number) =>
      rates.size === 0 ? null : [...rates].reduce((sum, [id, rate]) => sum + part(rate, id), 0);
    return {
      rules,
      usedBytes: totals.sizeBytes + openBytes,
      freeBytes: free,
      bytesPerDay: sumOf((rate) => rate),
      minimumBytes: sumOf((rate, id) => rate * (rules.get(id)?.minDays ?? 0)),
      oldestAt: totals.oldestAt,
    };
  }

  async function status(): Promise<RoomStatus> {
    const { usedBytes, freeBytes: free, bytesPerDay, oldestAt, minimumBytes } = await measure();
    const measured = { usedBytes, freeBytes: free, bytesPerDay, oldestAt };
    const verdict = judgeRoom({
      ...measured,
      minimumBytes,
      ...settings.current().storage,
      isBelowMinimum: breach !== undefined && now() - breach.lastAt < breachNoteMs,
      isStuck,
      isDiskFull: options.isDiskFull(),
    });
    return { ...measured, ...verdict };
  }

  /** @returns whether the file is gone */
  async function removeFile(segment: Segment): Promise<boolean> {
    try {
      await unlink(pathInside(recordingsDir, segment.file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        undeletable.add(segment.file); // one such file must not keep the others from making room
        log.error({ file: segment.file, err: error }, 'a recording file cannot be deleted');
        await segments.insert(segment);
        return false;
      }
      log.warn({ file: segment.file }, 'a file that was to be deleted is gone already');
    }
    return true;
  }

  /** @returns the files that are gone; held ones are left, whatever was decided before */
  async function removeBatch(batch: readonly Segment[], why: DeletionReason): Promise<Segment[]> {
    const forgotten = await segments.removeAll(batch, causes[why], now(), isHeld(db, now()));
    const gone: Segment[] = [];
    const queue = forgotten.values();
    const work = async () => {
      for (const segment of queue) if (await removeFile(segment)) gone.push(segment);
    };
    await Promise.all(Array.from({ length: parallelUnlinks }, work));
    if (why === 'breach' && gone.length > 0) await noteBreach(gone);
    return gone;
  }

  async function noteBreach(gone: readonly Segment[]): Promise<void> {
    const at = now();
    const isNews = breach === undefined || at - breach.notedAt >= breachNoteMs;
    breach = {
      lastAt: at,
      notedAt: isNews ? at : (breach?.notedAt ?? at),
      files: gone.length + (breach?.files ?? 0),
      sizeBytes: gone.reduce((sum, segment) => sum + segment.sizeBytes, breach?.sizeBytes ?? 0),
    };
    if (!isNews) return;
    const { files, sizeBytes } = breach;
    const span = {
      fromAt: Math.min(...gone.map((segment) => segment.startAt)),
      toAt: Math.max(...gone.map((segment) => segment.endAt)),
    };
    const channelIds = [...new Set(gone.map((segment) => segment.channelId))];
    const detail = { ...spanDetail(span), channelIds, files, sizeBytes };
    log.error(detail, 'the disk is too small: footage was deleted before the minimum of its class');
    breach = { ...breach, files: 0, sizeBytes: 0 };
    await audit.record({
      action: 'storage.minimum-breached',
      actor: { system: 'footage' },
      outcome: 'failed',
      detail,
    });
  }

  async function endHolds(): Promise<void> {
    await db.transaction(async (trx) => {
      for (const hold of await holds.endDue(now(), trx))
        await audit.record(
          {
            action: 'footage.hold-ended',
            actor: { system: 'footage' },
            subjectType: 'channel',
            subjectId: hold.channelId,
            detail: { holdId: hold.id, ...spanDetail(hold), untilAt: toWire(hold.untilAt ?? now()) },
          },
          trx,
        );
    });
  }

  async function lookOnce(): Promise<number> {
    await endHolds();
    const { storage } = settings.current();
    const measured = await measure();
    const headroomBytes = headroomOf(measured, storage.maxBytes);
    let toFreeBytes = bytesToFree({ ...measured, ...storage, headroomBytes });
    const deleted: Record<DeletionReason, number> = { age: 0, space: 0, breach: 0 };
    const oldest = await segments.oldestByChannel();
    const rules = [...oldest].flatMap(([channelId, oldestAt]) => {
      const rule = measured.rules.get(channelId);
      return rule ? [{ channelId, rule, isOld: oldestAt < now() - rule.maxDays * dayMs }] : [];
    });
    const wanted = toFreeBytes > 0 ? rules : rules.filter((entry) => entry.isOld);
    if (wanted.length > 0) {
      const queues = wanted.map((entry) =>
        createQueue<Segment>(entry, {
          list: segments.listOldestOf,
          isSkipped: (segment) => undeletable.has(segment.file),
        }),
      );
      const protections = await listProtections();
      let batch: Segment[] = [];
      let batchWhy: DeletionReason = 'age';
      const flush = async () => {
        for (const segment of await removeBatch(batch, batchWhy)) {
          deleted[batchWhy] += 1;
          toFreeBytes -= segment.sizeBytes;
        }
        batch = [];
      };
      for await (const { segment, why } of chooseDeletions({
        queues,
        protections,
        now: now(),
        toFreeBytes,
      })) {
        if (closing.signal.aborted) break;
        if (why !== batchWhy || batch.length >= batchSize) await flush();
        batchWhy = why;
        batch.push(segment);
      }
      await flush();
    }
    const count = deleted.age + deleted.space + deleted.breach;
    if (count > 0) log.info({ ...deleted }, 'old footage was deleted');
    await announce(toFreeBytes > 0 && count === 0);
    return count;
  }

  async function announce(isStuckNow: boolean): Promise<void> {
    isStuck = isStuckNow;
    const room = await status();
    if (room.level === level) return;
    log[room.level === 'ok' ? 'info' : 'warn']({ ...room, was: level }, 'room for recordings');
    level = room.level;
    bus.emit({ name: 'storage.changed', level });
    const { reason, daysLeft, usedBytes, limitBytes } = room;
    await audit.record({
      action: 'storage.level-changed',
      actor: { system: 'footage' },
      detail: { level, reason, daysLeft, usedBytes, limitBytes },
    });
  }

  function look(): Promise<number> {
    looking = looking.catch(() => 0).then(lookOnce);
    return looking;
  }

  function lookIn(delayMs: number): void {
    if (closing.signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      look().then(
        (count) => lookIn(count > 0 || level === 'critical' ? tightMs : calmMs),
        (error: unknown) => {
          log.error({ err: error }, 'retention could not look');
          lookIn(calmMs);
        },
      );
    }, delayMs);
    timer.unref();
  }

  const unsubscribe = bus.on('settings.changed', ({ key }) => {
    if ((key === 'storage' || key === 'retention') && timer !== undefined) lookIn(0);
  });

  return {
    start: () => lookIn(tightMs),
    look,
    status,
    async close() {
      closing.abort();
      unsubscribe();
      clearTimeout(timer);
      await looking.catch((error: unknown) => log.debug({ err: error }, 'the last look of retention failed'));
    },
  };
}

/** The condition on `segments` that a hold in force at `at` covers a part of the file. */
function isHeld(db: Knex, at: number): Knex.Raw {
  return db.raw(
    `EXISTS (SELECT 1 FROM footage_holds h WHERE h.channel_id = segments.channel_id AND h.released_at IS NULL
      AND (h.until_at IS NULL OR h.until_at > ?) AND h.from_at < segments.end_at AND h.to_at > segments.start_at)`,
    [at],
  );
}

function headroomOf(
  room: { usedBytes: number; freeBytes: number | null; bytesPerDay: number | null },
  maxBytes: number | null,
): number {
  const wanted = ((room.bytesPerDay ?? 0) / 86_400) * headroomSeconds;
  const disk = room.freeBytes === null ? Infinity : room.usedBytes + room.freeBytes;
  return Math.min(wanted, headroomPart * Math.min(disk, maxBytes ?? Infinity));
}
