import { statfs, unlink } from 'node:fs/promises';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import type { SettingsService } from '#api/settings/service.ts';
import type { ExportStore } from './export-store.ts';
import type { HoldStore } from './hold-store.ts';
import { pathInside } from './paths.ts';
import { bytesToFree, decideRetention, judgeRoom, type Protection, type RoomVerdict } from './retention.ts';
import type { Segment, SegmentStore } from './segment-store.ts';

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
const pageSize = 500;
const rateWindowMs = 3_600_000;
/** Room made ahead: so many seconds of what all cameras write, but never more than this part of all there is. */
const headroomSeconds = 20;
const headroomPart = 0.1;
const dayMs = 86_400_000;

/**
 * Deletes the footage that must make room, file first and row after, so that a crash between the two leaves only a row whose file
 * start-up misses. Looks every 10 s, every second while room is short; says on the bus when the level of room changes.
 */
export function createRetentionRunner(options: {
  recordingsDir: string;
  segments: SegmentStore;
  holds: HoldStore;
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
  const { recordingsDir, segments, holds, settings, bus, audit, now, log } = options;
  const undeletable = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<number> = Promise.resolve(0);
  const closing = new AbortController();
  let isStuck = false;
  let level: RoomVerdict['level'] = 'ok';

  async function freeBytes(): Promise<number | null> {
    try {
      const { bavail, bsize } = await statfs(recordingsDir);
      return bavail * bsize;
    } catch (error) {
      log.error({ err: error }, 'the recordings disk does not say how much is free');
      return null;
    }
  }

  async function listProtections(): Promise<Protection[]> {
    const [held, exported] = await Promise.all([holds.listInForce(), options.exports.listProtections()]);
    return [...held, ...exported];
  }

  async function measure() {
    const [totals, openBytes, free, bytesPerDay] = await Promise.all([
      segments.totals(),
      options.openBytes(),
      freeBytes(),
      segments.bytesPerDay(now() - rateWindowMs),
    ]);
    return {
      usedBytes: totals.sizeBytes + openBytes,
      freeBytes: free,
      bytesPerDay,
      oldestAt: totals.oldestAt,
    };
  }

  async function status(): Promise<RoomStatus> {
    const { storage } = settings.current();
    const measured = await measure();
    const verdict = judgeRoom({
      ...measured,
      ...storage,
      now: now(),
      isStuck,
      isDiskFull: options.isDiskFull(),
    });
    return { ...measured, ...verdict };
  }

  /** @returns whether the file is gone */
  async function remove(segment: Segment): Promise<boolean> {
    try {
      await unlink(pathInside(recordingsDir, segment.file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        undeletable.add(segment.id); // one such file must not keep the others from making room
        log.error({ file: segment.file, err: error }, 'a recording file cannot be deleted');
        return false;
      }
      log.warn({ file: segment.file }, 'a file that was to be deleted is gone already');
    }
    await segments.remove(segment, 'deleted-by-retention', now());
    return true;
  }

  async function lookOnce(): Promise<number> {
    const { storage } = settings.current();
    const measured = await measure();
    const headroomBytes = headroomOf(measured, storage.maxBytes);
    let toFreeBytes = bytesToFree({ ...measured, ...storage, headroomBytes });
    const cutoffAt = now() - storage.retentionDays * dayMs;
    const deleted = { age: 0, space: 0 };
    const isLookNeeded = toFreeBytes > 0 || (measured.oldestAt !== null && measured.oldestAt < cutoffAt);
    if (isLookNeeded) {
      const protections = await listProtections();
      let page: Segment[] = await segments.listOldest(pageSize);
      while (page.length > 0) {
        const candidates = page.filter((segment) => !undeletable.has(segment.id));
        for (const { segment, why } of decideRetention({ candidates, protections, cutoffAt, toFreeBytes })) {
          if (closing.signal.aborted) return deleted.age + deleted.space;
          if (!(await remove(segment))) continue;
          deleted[why] += 1;
          toFreeBytes -= segment.sizeBytes;
        }
        const last = page.at(-1);
        const isRestYoung = last === undefined || last.startAt >= cutoffAt;
        page = toFreeBytes <= 0 && isRestYoung ? [] : await segments.listOldest(pageSize, last);
      }
    }
    const count = deleted.age + deleted.space;
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
    if (key === 'storage' && timer !== undefined) lookIn(0);
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

function headroomOf(
  room: { usedBytes: number; freeBytes: number | null; bytesPerDay: number | null },
  maxBytes: number | null,
): number {
  const wanted = ((room.bytesPerDay ?? 0) / 86_400) * headroomSeconds;
  const disk = room.freeBytes === null ? Infinity : room.usedBytes + room.freeBytes;
  return Math.min(wanted, headroomPart * Math.min(disk, maxBytes ?? Infinity));
}
