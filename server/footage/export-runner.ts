import { readdir, readFile, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { JobContext, JobEnd, JobHandlers } from '#api/jobs/service.ts';
import type { Job } from '#api/jobs/store.ts';
import type { Logger } from '#api/log.ts';
import type { FootageSegment } from '#media/hls/footage.ts';
import { isMediaError } from '#media/errors.ts';
import { exportClip, type ClipResult } from '#media/export/export-clip.ts';
import { takeStill } from '#media/export/still.ts';
import { transcodeClip } from '#media/export/transcode-clip.ts';
import { wallMs } from '#media/time.ts';
import { clipName } from './clip-name.ts';
import { zonedParts } from './site-days.ts';
import type { ExportRecord, ExportStore } from './export-store.ts';
import type { FootageFiles } from './footage-files.ts';
import type { ExportResult } from './schema.ts';
import { spanDetail } from './service.ts';
import { toWireSpan } from './wire.ts';

export const exportJobKind = 'footage.export';
/** What the job carries; everything else is in the export's row. */
export interface ExportJob {
  readonly exportId: string;
}

export interface ExportRunner {
  readonly handlers: JobHandlers;
  /** The picture in view at an instant (epoch ms), as PNG. @throws AppError footage.none */
  takePreview(channelId: string, at: number): Promise<Buffer>;
  /** Sets the export's row once its job is over for good. Ignores other kinds. Safe to repeat. */
  onJobEnd(end: JobEnd): Promise<void>;
  /**
   * Once, before jobs run: ends rows whose job ended while nobody was there to note it, and deletes files in the exports folder that
   * no export owns (`.part` files of a killed server among them).
   */
  tidy(findJob: (id: string) => Promise<Job | undefined>): Promise<void>;
}

/** Events carry progress at most this often. */
const progressEventMs = 500;

/** Does the work of exports: cuts the clip, checks it, keeps what was found, tells everybody. */
export function createExportRunner(options: {
  db: Knex;
  store: ExportStore;
  files: FootageFiles;
  exportsDir: string;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): ExportRunner {
  const { db, store, exportsDir, bus, audit, now, log } = options;

  async function run({ payload, signal, report }: JobContext<ExportJob>): Promise<unknown> {
    const { exportId } = payload;
    const entry = await store.find(exportId);
    // Ready: the process died between the last row and the end of the job. Gone or ended: nothing is wanted any more.
    if (!entry || entry.state === 'ready' || entry.state === 'failed' || entry.state === 'cancelled')
      return null;
    await store.setRunning(exportId);
    let toldAt = 0;
    const tell = (progress: number | null) => {
      report(progress);
      if (now() - toldAt < progressEventMs) return;
      toldAt = now();
      bus.emit({ name: 'export.changed', exportId, state: 'running', progress });
    };
    tell(null);
    const footage = await options.files.list(entry.channelId, entry, signal);
    if (footage.length === 0) throw new AppError('footage.none');

    await keep(entry, await make(entry, footage, signal, tell));
    return { exportId };
  }

  function make(
    entry: ExportRecord,
    segments: readonly FootageSegment[],
    signal: AbortSignal,
    tell: (progress: number) => void,
  ): Promise<ClipResult> {
    const zone = options.siteTimeZone;
    const suffix = entry.mode === 'still' ? 'png' : 'mp4';
    const out = join(exportsDir, clipName(entry.channelName, entry, zone, entry.id, suffix));
    const common = { segments, out, signal, log: log.child({ exportId: entry.id }) };
    if (entry.mode === 'still') return takeStill({ ...common, at: wallMs(entry.fromAt) });
    const clip = {
      ...common,
      fromAt: wallMs(entry.fromAt),
      toAt: wallMs(entry.toAt),
      onProgress: ({ done }: { done: number }) => tell(done),
    };
    if (entry.mode === 'copy') return exportClip(clip);
    return transcodeClip({
      ...clip,
      caption: [entry.channelName, entry.caseNumber].filter((part) => part !== null).join('  '),
      formatTime: (at) => clockText(at, zone),
      hidden: entry.hidden,
    });
  }

  async function keep(entry: ExportRecord, clip: ClipResult): Promise<void> {
    const result = toResult(clip);
    const [first] = result.files;
    if (!first) throw new AppError('export.failed');
    const { fileName: file, sizeBytes, sha256 } = first;
    const done = { file, sizeBytes, sha256, result, at: now() };
    const isKept = await db.transaction(async (trx) => {
      if (!(await store.setReady(entry.id, done, trx))) return false;
      await audit.record(
        {
          action: 'export.ready',
          actor: { system: 'footage' },
          subjectType: 'export',
          subjectId: entry.id,
          detail: { channelId: entry.channelId, ...spanDetail(entry), ...result },
        },
        trx,
      );
      return true;
    });
    if (isKept) bus.emit({ name: 'export.changed', exportId: entry.id, state: 'ready', progress: 1 });
    else for (const each of clip.files) await unlinkIfThere(each.file); // ended by somebody else meanwhile
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
    async takePreview(channelId, at) {
      const segments = await options.files.list(channelId, { fromAt: at, toAt: at + 1 });
      const out = join(exportsDir, `preview-${newId()}.png`);
      try {
        await takeStill({ segments, at: wallMs(at), out, log });
        return await readFile(out);
      } catch (error) {
        if (isMediaError(error, 'no-media')) throw new AppError('footage.none', undefined, { cause: error });
        throw error;
      } finally {
        await unlinkIfThere(out);
      }
    },
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
        const isOurs = /\.(mp4|png|part)$/.test(name);
        if (!isOurs || owned.has(name)) continue;
        log.warn({ file: name }, 'deleting a file in the exports folder that no export owns');
        await unlinkIfThere(join(exportsDir, name));
      }
    },
  };
}

function toResult(clip: ClipResult): ExportResult {
  const [first] = clip.files;
  const { covered, gaps, leadMs, tailMs } = clip;
  return {
    durationMs: clip.files.reduce((sum, file) => sum + file.durationMs, 0),
    leadMs,
    tailMs,
    covered: covered.map(toWireSpan),
    gaps: gaps.map(toWireSpan),
    frameCount: clip.files.reduce((sum, file) => sum + file.frameCount, 0),
    videoCodec: first?.videoCodec ?? '',
    hasAudio: clip.files.some((file) => file.hasAudio),
    isDecodable: true, // each kind of export reads its file back and fails otherwise
    ffmpegVersion: clip.ffmpegVersion ?? null,
    files: clip.files.map(({ file, sizeBytes, sha256, crc32, durationMs, ...more }) => ({
      fileName: basename(file),
      sizeBytes,
      sha256,
      durationMs,
      crc32,
      // Without folders: they say nothing about the clip, and much about the server.
      arguments: more.arguments.map((argument) => argument.replaceAll(`${dirname(file)}/`, '')),
    })),
  };
}

/** What a clock in the site's zone shows, to the millisecond. */
function clockText(at: number, zone: string): string {
  const { year, month, day, hour, minute, second } = zonedParts(at, zone);
  const ms = String(at % 1000).padStart(3, '0');
  return `${year}-${month}-${day} ${hour}:${minute}:${second}.${ms}`;
}

/** Deletes a file; one that is gone already is as good. */
export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
