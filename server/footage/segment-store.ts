import type { Knex } from 'knex';
import { inTransaction, type Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import { mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs, type Removal } from './timeline.ts';

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

/** What the finished files of a channel come to. */
export interface ChannelTotals {
  readonly count: number;
  readonly sizeBytes: number;
}

/**
 * No file is longer than this, whatever the camera's key frame distance: it bounds how far back a search by overlap has to look,
 * so that the index on the start serves it.
 */
export const longestSegmentMs = 3_600_000;

/** Queries of the recording index: segments, runs, and what was removed. */
export function createSegmentStore(db: Knex) {
  let sums: Map<string, ChannelTotals> | undefined;
  const addToSums = (channelId: string, count: number, sizeBytes: number) => {
    const sum = sums?.get(channelId) ?? { count: 0, sizeBytes: 0 };
    sums?.set(channelId, { count: sum.count + count, sizeBytes: sum.sizeBytes + sizeBytes });
  };
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
      addToSums(segment.channelId, 1, segment.sizeBytes);
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

    /** Of `ranges`, the positions of those that hold footage of the channel: one index look-up each, in one query. */
    async findCovered(channelId: string, ranges: readonly SpanMs[]): Promise<number[]> {
      if (ranges.length === 0) return [];
      const rows: { n: number }[] = await db
        .with(
          'ranges',
          ['n', 'from_at', 'to_at'],
          db.raw(
            `VALUES ${ranges.map(() => '(CAST(? AS INTEGER), CAST(? AS BIGINT), CAST(? AS BIGINT))').join(', ')}`,
            ranges.flatMap((range, index) => [index, range.fromAt, range.toAt]),
          ),
        )
        .from('ranges')
        // A file that begins inside answers nearly every day at once; only else those of the hour before are looked at.
        .whereExists(
          db('segments')
            .where('channel_id', channelId)
            .whereRaw('start_at >= ranges.from_at AND start_at < ranges.to_at')
            .select(db.raw('1')),
        )
        .orWhereExists(
          db('segments')
            .where('channel_id', channelId)
            .whereRaw('start_at < ranges.from_at AND start_at > ranges.from_at - ?', [longestSegmentMs])
            .whereRaw('end_at > ranges.from_at')
            .select(db.raw('1')),
        )
        .orderBy('n')
        .select('n');
      return rows.map((row) => row.n);
    },

    /** Files of a channel, oldest first; `after` is the last row of the page before. */
    async listOldestOf(
      channelId: string,
      limit: number,
      after?: Pick<Segment, 'startAt' | 'id'>,
    ): Promise<Segment[]> {
      const query = db<SegmentRow>('segments')
        .where('channel_id', channelId)
        .orderBy([{ column: 'start_at' }, { column: 'id' }])
        .limit(limit);
      if (after)
        query
          .andWhere('start_at', '>=', after.startAt)
          .andWhere((where) => where.where('start_at', '>', after.startAt).orWhere('id', '>', after.id));
      const rows: SegmentRow[] = await query;
      return rows.map(toSegment);
    },

    /** Where each channel's footage begins; channels without any are left out. */
    async oldestByChannel(): Promise<Map<string, number>> {
      const rows: { id: string; oldest_at: number | null }[] = await db('channels').select(
        'id',
        db('segments').min('start_at').whereRaw('channel_id = channels.id').as('oldest_at'),
      );
      return new Map(rows.flatMap((row) => (row.oldest_at === null ? [] : [[row.id, row.oldest_at]])));
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

    /** Files by channel. Counted once and then kept up to date: only this process writes the index. */
    async totalsByChannel(): Promise<ReadonlyMap<string, ChannelTotals>> {
      if (!sums) {
        const rows: { channel_id: string; n: number | string; size: number | string }[] = await db('segments')
          .groupBy('channel_id')
          .select('channel_id')
          .count('* as n')
          .sum('size_bytes as size');
        sums = new Map(
          rows.map((row) => [row.channel_id, { count: Number(row.n), sizeBytes: Number(row.size) }]),
        );
      }
      return sums;
    },

    /** All files together. */
    async totals(): Promise<ChannelTotals & { oldestAt: number | null }> {
      const parts = [...(await this.totalsByChannel()).values()];
      const oldest: { start_at: number } | undefined = await db('segments')
        .orderBy('start_at')
        .first('start_at');
      return {
        count: parts.reduce((sum, part) => sum + part.count, 0),
        sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
        oldestAt: oldest?.start_at ?? null,
      };
    },

    /** What each channel writes a day, from the bitrate of its files since `sinceAt`; channels without any are left out. */
    async bytesPerDayByChannel(sinceAt: number): Promise<Map<string, number>> {
      const rows: { channel_id: string; size: number | string; duration: number | string }[] = await db(
        'segments',
      )
        .where('start_at', '>=', sinceAt)
        .groupBy('channel_id')
        .sum('size_bytes as size')
        .select('channel_id', db.raw('SUM(end_at - start_at) AS duration'));
      return new Map(
        rows
          .filter((row) => Number(row.duration) > 0)
          .map((row) => [row.channel_id, (Number(row.size) / Number(row.duration)) * 86_400_000]),
      );
    },

    /** Forgets a file that is gone and remembers why, in one step. */
    async remove(segment: Segment, cause: string, at: number): Promise<void> {
      await this.removeAll([segment], cause, at);
    },

    /**
     * Forgets files and remembers why, in one step; neighbouring removals of one cause become one row.
     * @param isKept a condition on `segments` that keeps a row after all, judged in the same step
     * @returns those forgotten now
     */
    async removeAll(
      segments: readonly Segment[],
      cause: string,
      at: number,
      isKept?: Knex.Raw,
    ): Promise<Segment[]> {
      const gone = await inTransaction(db, async (trx) => {
        const left = new Set<string>();
        for (let from = 0; from < segments.length; from += 500) {
          const page = segments.slice(from, from + 500).map((segment) => segment.id);
          const query = trx('segments').whereIn('id', page).delete();
          if (isKept) query.andWhereRaw('NOT (?)', [isKept]);
          if ((await query) === page.length) continue;
          const rows: { id: string }[] = await trx('segments').whereIn('id', page).select('id');
          for (const row of rows) left.add(row.id);
        }
        const removed = segments.filter((segment) => !left.has(segment.id));
        const byChannel = Map.groupBy(removed, (segment) => segment.channelId);
        for (const [channelId, rows] of byChannel) {
          const spans = rows.map((row) => ({ fromAt: row.startAt, toAt: row.endAt }));
          for (const span of mergeSpans(spans, continuousToleranceMs))
            await noteRemoval(trx, channelId, span, cause, at);
        }
        return removed;
      });
      for (const segment of gone) addToSums(segment.channelId, -1, -segment.sizeBytes);
      return gone;
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

async function noteRemoval(
  trx: Knex.Transaction,
  channelId: string,
  span: SpanMs,
  cause: string,
  at: number,
): Promise<void> {
  const extended = await trx('footage_removals')
    .where({ channel_id: channelId, cause })
    .andWhere('to_at', '>=', span.fromAt - continuousToleranceMs)
    .andWhere('to_at', '<=', span.fromAt + continuousToleranceMs)
    .update({ to_at: span.toAt, removed_at: at });
  if (extended > 0) return;
  await trx('footage_removals').insert({
    id: newId(),
    channel_id: channelId,
    from_at: span.fromAt,
    to_at: span.toAt,
    cause,
    removed_at: at,
  });
}
