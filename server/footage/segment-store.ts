import type { Knex } from 'knex';
import { inTransaction, type Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './spans.ts';
import { continuousToleranceMs, type Removal, type RunFacts } from './timeline.ts';

/** One finished recording file. */
export interface Segment {
  readonly id: string;
  readonly channelId: string;
  readonly runId: string;
  /** Relative to the recordings folder. */
  readonly file: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly sizeBytes: number;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
}

interface SegmentRow {
  id: string;
  channel_id: string;
  run_id: string;
  file: string;
  start_at: number;
  end_at: number;
  size_bytes: number;
  video_codec: string;
  has_audio: number;
}
const toSegment = (row: SegmentRow): Segment => ({
  id: row.id,
  channelId: row.channel_id,
  runId: row.run_id,
  file: row.file,
  startAt: row.start_at,
  endAt: row.end_at,
  sizeBytes: row.size_bytes,
  videoCodec: row.video_codec,
  hasAudio: row.has_audio === 1,
});

/**
 * No file is longer than this, whatever the camera's key frame distance: it bounds how far back a search by overlap has to look,
 * so that the index on the start serves it.
 */
export const longestSegmentMs = 3_600_000;

/** Queries of the recording index: segments, runs, and what was removed. */
export function createSegmentStore(db: Knex) {
  let sums: { count: number; sizeBytes: number } | undefined;
  const overlapping = (channelId: string, range: SpanMs, trx: Db = db) =>
    trx<SegmentRow>('segments')
      .where('channel_id', channelId)
      .andWhere('start_at', '<', range.toAt)
      .andWhere('start_at', '>', range.fromAt - longestSegmentMs)
      .andWhere('end_at', '>', range.fromAt);

  return {
    /** Keeps a finished file. Safe to repeat: the same file is kept once. @returns whether it is new */
    async insert(segment: Omit<Segment, 'id'>): Promise<boolean> {
      const rows: unknown[] = await db('segments')
        .insert({
          id: newId(),
          channel_id: segment.channelId,
          run_id: segment.runId,
          file: segment.file,
          start_at: Math.round(segment.startAt),
          end_at: Math.round(segment.endAt),
          size_bytes: segment.sizeBytes,
          video_codec: segment.videoCodec,
          has_audio: segment.hasAudio ? 1 : 0,
        })
        .onConflict('file')
        .ignore()
        .returning('id');
      if (rows.length === 0) return false;
      if (sums) sums = { count: sums.count + 1, sizeBytes: sums.sizeBytes + segment.sizeBytes };
      return true;
    },

    async find(id: string): Promise<Segment | undefined> {
      const row: SegmentRow | undefined = await db('segments').where({ id }).first();
      return row && toSegment(row);
    },

    /** Files that share time with `range`, by start. */
    async listOverlapping(channelId: string, range: SpanMs): Promise<Segment[]> {
      const rows: SegmentRow[] = await overlapping(channelId, range).orderBy('start_at');
      return rows.map(toSegment);
    },

    /** The newest file that starts at or before `at`, if any. */
    async findLastBefore(channelId: string, at: number): Promise<Segment | undefined> {
      const row: SegmentRow | undefined = await db('segments')
        .where('channel_id', channelId)
        .andWhere('start_at', '<=', at)
        .orderBy('start_at', 'desc')
        .first();
      return row && toSegment(row);
    },

    /** The file of a run that starts within 5 s of `startAt`, nearest first: its place on the wall clock may have moved a little. */
    async findInRun(runId: string, startAt: number): Promise<Segment | undefined> {
      const row: SegmentRow | undefined = await db('segments')
        .where('run_id', runId)
        .whereBetween('start_at', [startAt - 5_000, startAt + 5_000])
        .orderByRaw('ABS(start_at - ?)', [startAt])
        .first();
      return row && toSegment(row);
    },

    async hasOverlapping(channelId: string, range: SpanMs): Promise<boolean> {
      return (await overlapping(channelId, range).first('id')) !== undefined;
    },

    /**
     * Recorded stretches of a channel that share time with `range`, ascending, files at most `continuousToleranceMs` apart joined.
     * The joining is done by the database: a month of one channel is 43,200 files.
     */
    async listSpans(channelId: string, range: SpanMs): Promise<SpanMs[]> {
      const rows: { from_at: number; to_at: number }[] = await db
        .with('files', overlapping(channelId, range).select('start_at', 'end_at'))
        .with(
          'marked',
          db('files').select(
            'start_at',
            'end_at',
            db.raw(
              'CASE WHEN start_at > MAX(end_at) OVER (ORDER BY start_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + ? THEN 1 ELSE 0 END AS is_first',
              [continuousToleranceMs],
            ),
          ),
        )
        .with(
          'numbered',
          db('marked').select('start_at', 'end_at', db.raw('SUM(is_first) OVER (ORDER BY start_at) AS part')),
        )
        .from('numbered')
        .groupBy('part')
        .min('start_at as from_at')
        .max('end_at as to_at')
        .orderBy('from_at');
      return rows.map((row) => ({ fromAt: row.from_at, toAt: row.to_at }));
    },

    /** Oldest first over all channels; `after` is the last row of the page before. */
    async listOldest(limit: number, after?: Pick<Segment, 'startAt' | 'id'>): Promise<Segment[]> {
      const query = db<SegmentRow>('segments')
        .orderBy([{ column: 'start_at' }, { column: 'id' }])
        .limit(limit);
      if (after)
        query.where((where) =>
          where
            .where('start_at', '>', after.startAt)
            .orWhere((same) => same.where('start_at', after.startAt).andWhere('id', '>', after.id)),
        );
      const rows: SegmentRow[] = await query;
      return rows.map(toSegment);
    },

    /** Rows of the files named, in any order. */
    async listByFiles(files: readonly string[]): Promise<Segment[]> {
      const found: Segment[] = [];
      // SQLite binds at most 32,766 values in one statement, and older builds 999.
      for (let from = 0; from < files.length; from += 500) {
        const rows: SegmentRow[] = await db('segments').whereIn('file', files.slice(from, from + 500));
        found.push(...rows.map(toSegment));
      }
      return found;
    },

    /** Every channel that may own files, removed and unrecorded ones too. */
    async listChannelIds(): Promise<string[]> {
      const rows: { id: string }[] = await db('channels').select('id').orderBy('id');
      return rows.map((row) => row.id);
    },

    /** Names of all files of a channel, relative to the recordings folder. */
    async listFilesOf(channelId: string): Promise<Set<string>> {
      const rows: { file: string }[] = await db('segments').where({ channel_id: channelId }).select('file');
      return new Set(rows.map((row) => row.file));
    },

    /** All files together. Counted once and then kept up to date: only this process writes the index. */
    async totals(): Promise<{ count: number; sizeBytes: number; oldestAt: number | null }> {
      if (!sums) {
        const [row]: { n: number | string; size: number | string | null }[] = await db('segments')
          .count('* as n')
          .sum('size_bytes as size');
        sums = { count: Number(row?.n ?? 0), sizeBytes: Number(row?.size ?? 0) };
      }
      const oldest: { start_at: number } | undefined = await db('segments')
        .orderBy('start_at')
        .first('start_at');
      return { ...sums, oldestAt: oldest?.start_at ?? null };
    },

    /** What all channels together write a day, from the bitrate of each one's files since `sinceAt`; null when there are none. */
    async bytesPerDay(sinceAt: number): Promise<number | null> {
      const rows: { size: number | string; duration: number | string }[] = await db('segments')
        .where('start_at', '>=', sinceAt)
        .groupBy('channel_id')
        .sum('size_bytes as size')
        .select(db.raw('SUM(end_at - start_at) AS duration'));
      const rates = rows
        .filter((row) => Number(row.duration) > 0)
        .map((row) => Number(row.size) / Number(row.duration));
      return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0) * 86_400_000;
    },

    /** Forgets a file that is gone and remembers why, in one step. Neighbouring removals of one cause become one row. */
    async remove(segment: Segment, cause: string, at: number): Promise<void> {
      const isRemoved = await inTransaction(db, async (trx) => {
        const deleted = await trx('segments').where({ id: segment.id }).delete();
        if (deleted === 0) return false;
        const extended = await trx('footage_removals')
          .where({ channel_id: segment.channelId, cause })
          .andWhere('to_at', '>=', segment.startAt - continuousToleranceMs)
          .andWhere('to_at', '<=', segment.startAt + continuousToleranceMs)
          .update({ to_at: segment.endAt, removed_at: at });
        if (extended > 0) return true;
        await trx('footage_removals').insert({
          id: newId(),
          channel_id: segment.channelId,
          from_at: segment.startAt,
          to_at: segment.endAt,
          cause,
          removed_at: at,
        });
        return true;
      });
      if (isRemoved && sums) sums = { count: sums.count - 1, sizeBytes: sums.sizeBytes - segment.sizeBytes };
    },

    async listRemovals(channelId: string, range: SpanMs): Promise<Removal[]> {
      const rows: { from_at: number; to_at: number; cause: string }[] = await db('footage_removals')
        .where('channel_id', channelId)
        .andWhere('from_at', '<', range.toAt)
        .andWhere('to_at', '>', range.fromAt)
        .orderBy('from_at');
      return rows.map((row) => ({ fromAt: row.from_at, toAt: row.to_at, cause: row.cause }));
    },
  };
}
export type SegmentStore = ReturnType<typeof createSegmentStore>;

/** Queries of the recording runs. */
export function createRunStore(db: Knex) {
  return {
    /** Keeps that a run began; safe to repeat. */
    async insert(run: { id: string; channelId: string; startedAt: number }): Promise<void> {
      await db('recording_runs')
        .insert({ id: run.id, channel_id: run.channelId, started_at: Math.round(run.startedAt) })
        .onConflict('id')
        .ignore();
    },
    async setAnchor(id: string, anchorOffsetMs: number): Promise<void> {
      await db('recording_runs').where({ id }).update({ anchor_offset_ms: anchorOffsetMs });
    },
    async findAnchor(id: string): Promise<number | null> {
      const row: { anchor_offset_ms: number | null } | undefined = await db('recording_runs')
        .where({ id })
        .first('anchor_offset_ms');
      return row?.anchor_offset_ms ?? null;
    },
    async end(id: string, endedAt: number, endReason: string): Promise<void> {
      await db('recording_runs')
        .where({ id })
        .whereNull('ended_at')
        .update({ ended_at: Math.round(endedAt), end_reason: endReason });
    },
    /**
     * Closes the runs that a killed process left open: each ended with its last file.
     * @returns how many
     */
    async endAbandoned(endReason: string): Promise<number> {
      return db('recording_runs')
        .whereNull('ended_at')
        .update({
          end_reason: endReason,
          ended_at: db.raw(
            'COALESCE((SELECT MAX(end_at) FROM segments WHERE segments.run_id = recording_runs.id), started_at)',
          ),
        });
    },
    /** Runs that share time with `range` and the last one that began before it, by start. */
    async listFor(channelId: string, range: SpanMs): Promise<RunFacts[]> {
      const columns = ['started_at', 'ended_at', 'end_reason'] as const;
      type Row = { started_at: number; ended_at: number | null; end_reason: string | null };
      const inside: Row[] = await db('recording_runs')
        .where('channel_id', channelId)
        .andWhere('started_at', '>', range.fromAt)
        .andWhere('started_at', '<', range.toAt)
        .orderBy('started_at')
        .select(...columns);
      const before: Row | undefined = await db('recording_runs')
        .where('channel_id', channelId)
        .andWhere('started_at', '<=', range.fromAt)
        .orderBy('started_at', 'desc')
        .first(...columns);
      return [...(before ? [before] : []), ...inside].map((row) => ({
        startedAt: row.started_at,
        endedAt: row.ended_at,
        endReason: row.end_reason,
      }));
    },
  };
}
export type RunStore = ReturnType<typeof createRunStore>;
