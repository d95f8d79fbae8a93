import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { JobContext, JobEnd, JobHandlers } from '#api/jobs/service.ts';
import type { Job } from '#api/jobs/store.ts';
import type { Logger } from '#api/log.ts';
import { exportClip } from '#media/export/export-clip.ts';
import { clipName } from './clip-name.ts';
import type { ExportRecord, ExportStore } from './export-store.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { ExportResult } from './schema.ts';
import type { SegmentStore } from './segment-store.ts';
import { spanDetail } from './service.ts';
import { isOverlapping } from './spans.ts';

export const exportJobKind = 'footage.export';
/** What the job carries; everything else is in the export's row. */
export interface ExportJob {
  readonly exportId: string;
}

export interface ExportRunner {
  readonly handlers: JobHandlers;
  /** Sets the export's row once its job is over for good. Ignores other kinds. Safe to repeat. */
  onJobEnd(end: JobEnd): Promise<void>;
  /**
   * Once, before jobs run: ends rows whose job ended while nobody was there to note it, and deletes files in the exports folder that
   * no export owns (`.part` files of a killed server among them).
   */
  tidy(findJob: (id: string) => Promise<Job | undefined>): Promise<void>;
}

const openPollMs = 500;
/** Events carry progress at most this often. */
const progressEventMs = 500;

/** Does the work of exports: cuts the clip, checks it, keeps what was found, tells everybody. */
export function createExportRunner(options: {
  db: Knex;
  store: ExportStore;
  segments: SegmentStore;
  open: OpenFootage;
  recordingsDir: string;
  exportsDir: string;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): ExportRunner {
  const { db, store, segments, open, recordingsDir, exportsDir, bus, audit, now, log } = options;

  async function run({ payload, signal, report }: JobContext<ExportJob>): Promise<unknown> {
    const { exportId } = payload;
    const entry = await store.find(exportId);
    // Ready: the process died between the last row and the end of the job. Gone or ended: nothing is wanted any more.
    if (!entry || entry.state === 'ready' || entry.state === 'failed' || entry.state === 'cancelled') return null;
    await store.setRunning(exportId);
    let toldAt = 0;
    const tell = (progress: number | null) => {
      report(progress);
      if (now() - toldAt < progressEventMs) return;
      toldAt = now();
      bus.emit({ name: 'export.changed', exportId, state: 'running', progress });
    };
    tell(null);
    await waitForOpenFile(entry, signal);
    const rows = await segments.listOverlapping(entry.channelId, entry);
    if (rows.length === 0) throw new AppError('footage.none');

    const file = clipName(entry.channelName, entry, options.siteTimeZone, exportId);
    const clip = await exportClip({
      segments: rows.map((row) => ({ ...row, file: pathInside(recordingsDir, row.file) })),
      fromAt: entry.fromAt,
      toAt: entry.toAt,
      out: join(exportsDir, file),
      signal,
      onProgress: tell,
      log: log.child({ exportId }),
    });
    await keep(entry, file, clip);
    return { exportId, file };
  }

  async function keep(entry: ExportRecord, file: string, clip: ExportedClip): Promise<void> {
    const { sizeBytes, sha256, ...facts } = clip;
    const isKept = await db.transaction(async (trx) => {
      const done = { file, sizeBytes, sha256, result: toResult(facts), at: now() };
      if (!(await store.setReady(entry.id, done, trx))) return false;
      await audit.record(
        {
          action: 'export.ready',
          actor: { system: 'footage' },
          subjectType: 'export',
          subjectId: entry.id,
          detail: { channelId: entry.channelId, ...spanDetail(entry), file, sizeBytes, sha256, ...done.result },
        },
        trx,
      );
      return true;
    });
    if (isKept) bus.emit({ name: 'export.changed', exportId: entry.id, state: 'ready', progress: 1 });
    else await unlinkIfThere(join(exportsDir, file)); // ended by somebody else meanwhile
  }

  /** The newest footage is in a file still being written; the clip is cut from finished files, so it waits for that one. */
  async function waitForOpenFile(entry: ExportRecord, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const part = await open.partOf(entry.channelId);
      if (!part || !isOverlapping(part, entry)) return;
      await new Promise((resolve) => setTimeout(resolve, openPollMs));
    }
  }

  async function end(exportId: string, state: 'failed' | 'cancelled', error: string | null): Promise<void> {
    const entry = await store.find(exportId);
    if (!entry) return;
    const isEnded = await db.transaction(async (trx) => {
      if (!(await store.setEnded(exportId, { state, error, at: now() }, trx))) return false;
      await audit.record(
        {
          action: `export.${state}`,
          actor: { system: 'footage' },
          subjectType: 'export',
          subjectId: exportId,
          outcome: state === 'failed' ? 'failed' : 'ok',
          detail: { channelId: entry.channelId, ...spanDetail(entry), error },
        },
        trx,
      );
      return true;
    });
    if (isEnded) bus.emit({ name: 'export.changed', exportId, state, progress: null });
  }

  return {
    handlers: { [exportJobKind]: run },
    async onJobEnd({ job, state, error }) {
      if (job.kind !== exportJobKind) return;
      const { exportId } = job.payload as ExportJob;
      if (state === 'cancelled') await end(exportId, 'cancelled', null);
      // A job that succeeded has set its row to ready itself.
      if (state === 'failed') await end(exportId, 'failed', error ?? null);
    },
    async tidy(findJob) {
      for (const entry of await store.listUnfinished()) {
        const job = entry.jobId === null ? undefined : await findJob(entry.jobId);
        if (job?.state === 'queued' || job?.state === 'running') continue;
        if (job?.state === 'cancelled') await end(entry.id, 'cancelled', null);
        else await end(entry.id, 'failed', job?.error ?? 'The job of this export is gone.');
      }
      const owned = await store.listFiles();
      for (const name of await readdir(exportsDir)) {
        const isOurs = name.endsWith('.mp4') || name.endsWith('.part');
        if (!isOurs || owned.has(name)) continue;
        log.warn({ file: name }, 'deleting a file in the exports folder that no export owns');
        await unlinkIfThere(join(exportsDir, name));
      }
    },
  };
}

/** Deletes a file; one that is gone already is as good. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
