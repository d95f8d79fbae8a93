import { join } from 'node:path';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError } from '#media/errors.ts';
import { recoverSegments } from '#media/recorder/recover.ts';
import { listFinished, readFacts } from './index-files.ts';
import type { RunStore } from './run-store.ts';
import type { Segment, SegmentStore } from './segment-store.ts';

/** What start-up put right. Counts of files. */
export interface StartUpReport {
  readonly recovered: number;
  readonly deletedParts: number;
  readonly indexed: number;
  readonly missing: number;
}

/**
 * Makes index and files agree again after a stop of any kind: finishes part files, indexes finished files that the index does not
 * know, forgets rows whose file is gone (on the trail), closes the runs that were cut off. Only before a recorder runs. Safe to repeat.
 */
export async function repairIndex(options: {
  recordingsDir: string;
  segments: SegmentStore;
  runs: RunStore;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): Promise<StartUpReport> {
  const { recordingsDir, segments, runs, audit, now, log } = options;
  const report = { recovered: 0, deletedParts: 0, indexed: 0, missing: 0 };

  const keep = async (segment: Omit<Segment, 'id'>) => {
    await runs.insert({ id: segment.runId, channelId: segment.channelId, startedAt: segment.startAt });
    if (await segments.insert(segment)) report.indexed += 1;
  };

  for (const channelId of await segments.listChannelIds()) {
    const dir = join(recordingsDir, channelId);
    const recovery = await recoverSegments({
      dir,
      offsetOf: async (runId) => (await runs.findAnchor(runId)) ?? undefined,
      log: log.child({ channelId }),
    });
    report.recovered += recovery.recovered.length;
    report.deletedParts += recovery.deleted.length;

    const onDisk = await listFinished(dir, recordingsDir);
    const inIndex = await segments.listFilesOf(channelId);
    for (const file of onDisk) {
      if (inIndex.has(file)) continue;
      try {
        const { isTorn, ...facts } = await readFacts(join(recordingsDir, file));
        if (isTorn) log.warn({ channelId, file }, 'a recording file is shorter than its name says');
        await keep({ channelId, file, ...facts });
      } catch (error) {
        if (!isMediaError(error)) throw error;
        log.error(
          { err: error, channelId, file },
          'a recording file cannot be read and stays out of the index',
        );
      }
    }
    const gone = [...inIndex].filter((file) => !onDisk.has(file));
    if (gone.length === 0) continue;
    const rows = await segments.listByFiles(gone);
    for (const row of rows) await segments.remove(row, 'file-missing', now());
    report.missing += rows.length;
    log.warn(
      { channelId, files: gone.length },
      'recording files are gone without the console having deleted them',
    );
    await audit.record({
      action: 'footage.files-missing',
      actor: { system: 'footage' },
      subjectType: 'channel',
      subjectId: channelId,
      outcome: 'failed',
      detail: {
        files: gone.length,
        fromAt: new Date(Math.min(...rows.map((row) => row.startAt))).toISOString(),
        toAt: new Date(Math.max(...rows.map((row) => row.endAt))).toISOString(),
        first: gone.slice(0, 20),
      },
    });
  }
  await runs.endAbandoned('server-stopped');
  return report;
}
