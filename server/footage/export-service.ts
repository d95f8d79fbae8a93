import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { createOnceWithin } from '#api/auth/once-within.ts';
import { can } from '#api/auth/permissions.ts';
import type { Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Principal } from '#api/http/guard.ts';
import type { JobService } from '#api/jobs/service.ts';
import type { ChannelSource } from './types.ts';
import { exportJobKind, unlinkIfThere, type ExportJob } from './export-runner.ts';
import type { DeviceFootage } from './device-footage.ts';
import type { ExportRecord, ExportStore } from './export-store.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { SegmentStore } from './segment-store.ts';
import { checkRange, spanDetail, type By } from './service.ts';
import { isOverlapping, type SpanMs } from './spans.ts';

const shortestMs = 1_000;
/** How long a request waits for a device that may hold what we do not. */
const deviceAskMs = 3_000;
const longestMs = 12 * 3_600_000;

/** Further requests of one session for one file count as the same download for this long. */
const downloadWindowMs = 600_000;

/** A finished clip, ready to be sent. */
export interface Download {
  readonly path: string;
  readonly fileName: string;
  readonly sha256: string;
}

/** Asking for clips, following them, taking them away. A person sees their own; `exports.read-all` sees everybody's. */
export function createExportService(options: {
  db: Knex;
  store: ExportStore;
  segments: SegmentStore;
  open: OpenFootage;
  devices: DeviceFootage;
  channels: ChannelSource;
  jobs: JobService;
  exportsDir: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, store, segments, channels, jobs, exportsDir, bus, audit, now } = options;

  const isFirst = createOnceWithin(downloadWindowMs, now);

  async function getFor(id: string, person: Principal): Promise<ExportRecord> {
    const entry = await store.find(id);
    const isTheirs = entry?.requestedBy === person.userId || can(person.role, 'exports.read-all');
    if (!entry || !isTheirs) throw new AppError('not-found');
    return entry;
  }

  async function hasFootage(channelId: string, range: SpanMs): Promise<boolean> {
    if (await segments.hasOverlapping(channelId, range)) return true;
    if ((await options.open.spansOf(channelId)).some((span) => isOverlapping(span, range))) return true;
    await options.devices.refresh([channelId], range, { waitMs: deviceAskMs, isPatient: true });
    const { held, spans } = await options.devices.offer(channelId, range);
    return spans.length > 0 || held.state === 'unknown'; // the job asks again, with more patience, and tells why not
  }

  return {
    /** Newest first. */
    list: (person: Principal): Promise<ExportRecord[]> =>
      store.list(can(person.role, 'exports.read-all') ? undefined : person.userId),

    /** @throws AppError not-found, also for somebody else's */
    get: getFor,

    /**
     * Asks for a clip: row, job and trail are written together.
     * @throws AppError footage.range-invalid (1 s to 12 h, not in the future), footage.none, not-found
     */
    async request(ask: SpanMs & { channelId: string; reason: string }, by: By): Promise<ExportRecord> {
      checkRange(ask, longestMs);
      if (ask.toAt - ask.fromAt < shortestMs)
        throw new AppError('footage.range-invalid', { problem: 'length', shortestMs });
      if (ask.toAt > now()) throw new AppError('footage.range-invalid', { problem: 'future' });
      await channels.get(ask.channelId);
      if (!(await hasFootage(ask.channelId, ask))) throw new AppError('footage.none');
      const id = newId();
      const { actor, request } = by;
      await db.transaction(async (trx) => {
        const payload: ExportJob = { exportId: id };
        const jobId = await jobs.enqueue(exportJobKind, payload, { trx, createdBy: actor.userId });
        const requested = { requestedBy: actor.userId, requestedByName: actor.displayName };
        await store.insert({ id, jobId, ...ask, ...requested, createdAt: now() }, trx);
        await audit.record(
          {
            action: 'export.requested',
            actor,
            subjectType: 'export',
            subjectId: id,
            detail: { channelId: ask.channelId, ...spanDetail(ask), reason: ask.reason },
            request,
          },
          trx,
        );
      });
      bus.emit({ name: 'export.changed', exportId: id, state: 'queued', progress: null });
      return getFor(id, actor);
    },

    /**
     * Cancels a clip that is not finished (its row says so a moment later), or deletes a finished one with its file.
     * @throws AppError not-found
     */
    async remove(id: string, by: By): Promise<void> {
      const { actor, request } = by;
      const entry = await getFor(id, actor);
      const fact = { actor, subjectType: 'export', subjectId: id, request };
      const detail = { channelId: entry.channelId, ...spanDetail(entry) };
      if (entry.state === 'queued' || entry.state === 'running') {
        await audit.record({ ...fact, action: 'export.cancel-requested', detail });
        if (entry.jobId !== null) await jobs.cancel(entry.jobId);
        return;
      }
      const files = entry.result?.files ?? [];
      for (const { fileName } of files) await unlinkIfThere(pathInside(exportsDir, fileName));
      await db.transaction(async (trx) => {
        if (!(await store.delete(id, trx))) return;
        await audit.record({ ...fact, action: 'export.deleted', detail: { ...detail, files } }, trx);
      });
    },

    /**
     * A file of a clip, `part` from 1. The first request of a session puts a row on the trail; the further ranges of a download do not.
     * @throws AppError not-found, export.not-ready
     */
    async download(id: string, part: number, by: By): Promise<Download> {
      const { actor, request } = by;
      const { state, result, channelId } = await getFor(id, actor);
      if (state !== 'ready' || result === null) throw new AppError('export.not-ready', { state });
      const file = result.files[part - 1];
      if (!file) throw new AppError('not-found');
      const { fileName, sha256 } = file;
      if (isFirst(`${actor.sessionHash} ${id} ${part}`))
        await audit.record({
          action: 'export.downloaded',
          actor,
          subjectType: 'export',
          subjectId: id,
          detail: { channelId, fileName, sha256 },
          request,
        });
      return { path: pathInside(exportsDir, fileName), fileName, sha256 };
    },
  };
}
export type ExportService = ReturnType<typeof createExportService>;
