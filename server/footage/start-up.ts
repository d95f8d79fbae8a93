import { open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError, MediaError } from '#media/errors.ts';
import { readInit } from '#media/hls/fmp4.ts';
import { segmentSetup } from '#media/recorder/close-segment.ts';
import { recoverSegments } from '#media/recorder/recover.ts';
import { parseSegmentName } from '#media/recorder/segment-names.ts';
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
        await keep({ channelId, file, ...(await readFacts(join(recordingsDir, file))) });
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

/** Finished files of one channel, relative to the recordings folder. */
async function listFinished(dir: string, recordingsDir: string): Promise<Set<string>> {
  const files = new Set<string>();
  for (const day of await namesIn(dir)) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day)) continue;
    for (const name of await namesIn(join(dir, day)))
      if (parseSegmentName(name)) files.add(relative(recordingsDir, join(dir, day, name)));
  }
  return files;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function readFacts(path: string): Promise<Omit<Segment, 'id' | 'channelId' | 'file'>> {
  const name = parseSegmentName(path);
  const file = await open(path, 'r');
  try {
    const init = await readInit(file);
    if (!name || !init) throw new MediaError('bad-output', 'a recording file without its head');
    const { videoCodec, hasAudio } = segmentSetup(init);
    return {
      runId: name.runId,
      startAt: name.startAt,
      endAt: name.startAt + name.durationMs,
      sizeBytes: (await file.stat()).size,
      videoCodec,
      hasAudio,
    };
  } finally {
    await file.close();
  }
}
