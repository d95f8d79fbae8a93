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
import type { SettingsService } from '#api/settings/service.ts';
import { siteDay } from '#api/site-time.ts';
import type { ExportMode, PictureRegion } from './schema.ts';
import type { ChannelSource, ExportGuard } from './types.ts';
import { exportJobKind, unlinkIfThere, type ExportJob } from './export-runner.ts';
import type { ExportRecord, ExportStore } from './export-store.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { SegmentStore } from './segment-store.ts';
import { checkRange, spanDetail, type By } from './service.ts';
import { isOverlapping, type SpanMs } from './spans.ts';

const shortestMs = 1_000;
const longestMs = 12 * 3_600_000;
/** A transcode takes about as long as it plays, and keeps a core busy all the while. */
const longestTranscodeMs = 2 * 3_600_000;
const dayMs = 86_400_000;

/** Further requests of one session for one file count as the same download for this long. */
const downloadWindowMs = 600_000;

/** What a person may ask for. `toAt` of a still is one ms after its instant. */
export interface ExportAsk extends SpanMs {
  readonly channelId: string;
  readonly reason: string;
  readonly mode?: ExportMode;
  readonly hidden?: readonly PictureRegion[];
  /** Of the case that it is made for. */
  readonly caseNumber?: string;
}

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
  channels: ChannelSource;
  jobs: JobService;
  exportsDir: string;
  bus: EventBus;
  audit: AuditTrail;
  settings: SettingsService;
  guard: ExportGuard;
  /** Decodes one picture. @throws AppError footage.none */
  takePreview: (channelId: string, at: number) => Promise<Buffer>;
  siteTimeZone: string;
  now: Now;
}) {
  const { db, store, segments, channels, jobs, exportsDir, bus, audit, settings, guard, now } = options;

  const isFirst = createOnceWithin(downloadWindowMs, now);

  async function getFor(id: string, person: Principal): Promise<ExportRecord> {
    const entry = await store.find(id);
    const isTheirs = entry?.requestedBy === person.userId || can(person.role, 'exports.read-all');
    if (!entry || !isTheirs) throw new AppError('not-found');
    return entry;
  }

  async function hasFootage(channelId: string, range: SpanMs): Promise<boolean> {
    if (await segments.hasOverlapping(channelId, range)) return true;
    return (await options.open.spansOf(channelId)).some((span) => isOverlapping(span, range));
  }

  /** @throws AppError export.limit with which limit of the person's role is reached */
  async function checkLimits(range: SpanMs, mode: ExportMode, { actor }: By): Promise<void> {
    const { limits } = settings.current().evidence;
    const limit = limits[actor.role === 'admin' ? 'admin' : 'security'];
    if (limit.longestMinutes !== null && range.toAt - range.fromAt > limit.longestMinutes * 60_000)
      throw new AppError('export.limit', { limit: 'length', longestMinutes: limit.longestMinutes });
    if (limit.mostPerDay === null || mode === 'still') return;
    const today = siteDay(now(), options.siteTimeZone);
    // From the trail, not from the rows: a deleted clip was asked for all the same.
    const asked = await audit.listInstants({
      action: 'export.requested',
      actorId: actor.userId,
      fromAt: now() - dayMs,
    });
    const count = asked.filter((at) => siteDay(at, options.siteTimeZone) === today).length;
    if (count >= limit.mostPerDay)
      throw new AppError('export.limit', { limit: 'count', mostPerDay: limit.mostPerDay });
  }

  return {
    /** Newest first. */
    list: (person: Principal): Promise<ExportRecord[]> =>
      store.list(can(person.role, 'exports.read-all') ? undefined : person.userId),

    /** @throws AppError not-found, also for somebody else's */
    get: getFor,

    /**
     * Asks for a clip or a still: row, job and trail are written together, and `also` what must be kept or dropped with them.
     * @throws AppError footage.range-invalid (1 s to 12 h, transcoded 2 h; not in the future), footage.none, not-found, export.limit
     */
    async request(
      ask: ExportAsk,
      by: By,
      also?: (exportId: string, trx: Knex.Transaction) => Promise<void>,
    ): Promise<ExportRecord> {
      const { channelId, reason, mode = 'copy', hidden = [], caseNumber = null } = ask;
      checkRange(ask, mode === 'transcode' ? longestTranscodeMs : longestMs);
      if (mode !== 'still' && ask.toAt - ask.fromAt < shortestMs)
        throw new AppError('footage.range-invalid', { problem: 'length', shortestMs });
      if (ask.toAt > now()) throw new AppError('footage.range-invalid', { problem: 'future' });
      if (hidden.length > 0 && mode !== 'transcode')
        throw new AppError('request.invalid', {
          fields: [{ path: '/hidden', problem: 'needs mode transcode' }],
        });
      await channels.get(channelId);
      await checkLimits(ask, mode, by);
      if (!(await hasFootage(channelId, ask))) throw new AppError('footage.none');
      const id = newId();
      const { actor, request } = by;
      await db.transaction(async (trx) => {
        const payload: ExportJob = { exportId: id };
        const jobId = await jobs.enqueue(exportJobKind, payload, { trx, createdBy: actor.userId });
        const requested = { requestedBy: actor.userId, requestedByName: actor.displayName };
        const { fromAt, toAt } = ask;
        const row = { channelId, reason, fromAt, toAt, mode, hidden, caseNumber, createdAt: now() };
        await store.insert({ id, jobId, ...row, ...requested }, trx);
        await audit.record(
          {
            action: 'export.requested',
            actor,
            subjectType: 'export',
            subjectId: id,
            detail: {
              channelId,
              ...spanDetail(ask),
              reason,
              ...(mode === 'copy' ? {} : { mode, hidden: hidden.length }),
              ...(caseNumber === null ? {} : { caseNumber }),
            },
            request,
          },
          trx,
        );
        await also?.(id, trx);
      });
      bus.emit({ name: 'export.changed', exportId: id, state: 'queued', progress: null });
      return getFor(id, actor);
    },

    /**
     * The picture in view at an instant, as PNG. It is noted as viewed. @throws AppError not-found, footage.none, footage.range-invalid
     */
    async preview(channelId: string, at: number, { actor, request }: By): Promise<Buffer> {
      const range = { fromAt: at, toAt: at + 1 };
      if (range.toAt > now()) throw new AppError('footage.range-invalid', { problem: 'future' });
      await channels.get(channelId);
      if (!(await hasFootage(channelId, range))) throw new AppError('footage.none');
      await audit.record({
        action: 'footage.viewed',
        actor,
        subjectType: 'channel',
        subjectId: channelId,
        detail: spanDetail(range),
        request,
      });
      return options.takePreview(channelId, at);
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
      if (!(await guard.mayDelete(id))) throw new AppError('export.in-case');
      const files = entry.result?.files ?? [];
      for (const { fileName } of files) await unlinkIfThere(pathInside(exportsDir, fileName));
      await db.transaction(async (trx) => {
        if (!(await store.delete(id, trx))) return;
        await audit.record({ ...fact, action: 'export.deleted', detail: { ...detail, files } }, trx);
      });
    },

    /**
     * A file of a clip, `part` from 1. The first request of a session puts a row on the trail; the further ranges of a download do not.
     * @throws AppError not-found, export.not-ready, package.needs-approval where only an approved package may leave
     */
    async download(id: string, part: number, by: By): Promise<Download> {
      const { actor, request } = by;
      const { state, result, channelId } = await getFor(id, actor);
      if (state !== 'ready' || result === null) throw new AppError('export.not-ready', { state });
      if (!(await guard.mayDownload(id))) throw new AppError('package.needs-approval');
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
