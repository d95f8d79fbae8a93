import type { Knex } from 'knex';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './types.ts';

/** A file at a target that was read back and had the sum it should. */
export interface Copy {
  readonly id: string;
  readonly targetId: string;
  readonly channelId: string;
  readonly runId: string;
  /** As in the recording index; its name at the target. */
  readonly file: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly sizeBytes: number;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
  readonly sha256: string;
}
interface CopyRow {
  id: string;
  target_id: string;
  channel_id: string;
  run_id: string;
  file: string;
  start_at: number;
  end_at: number;
  size_bytes: number;
  video_codec: string;
  has_audio: number;
  sha256: string;
}
const toCopy = (row: CopyRow): Copy => ({
  id: row.id,
  targetId: row.target_id,
  channelId: row.channel_id,
  runId: row.run_id,
  file: row.file,
  startAt: row.start_at,
  endAt: row.end_at,
  sizeBytes: row.size_bytes,
  videoCodec: row.video_codec,
  hasAudio: row.has_audio === 1,
  sha256: row.sha256,
});
/** No recording file is longer: how far back a search by overlap looks. */
const longestMs = 3_600_000;

/** Queries of the index of copies. Only copies that were verified are in it. */
export function createCopyStore(db: Knex) {
  const sound = () => db<CopyRow>('copies').where('is_altered', 0);
  return {
    /** Keeps a verified copy; one of the same file at that target is replaced. */
    async insert(copy: Omit<Copy, 'id'>, at: number): Promise<void> {
      const values = {
        channel_id: copy.channelId,
        run_id: copy.runId,
        start_at: copy.startAt,
        end_at: copy.endAt,
        size_bytes: copy.sizeBytes,
        video_codec: copy.videoCodec,
        has_audio: copy.hasAudio ? 1 : 0,
        sha256: copy.sha256,
        is_altered: 0,
        verified_at: at,
      };
      await db('copies')
        .insert({ id: newId(), target_id: copy.targetId, file: copy.file, ...values })
        .onConflict(['target_id', 'file'])
        .merge(Object.keys(values));
    },
    /** Sound copies of a channel that share time with `range`, by start; of one target or of all. */
    async list(channelId: string, range: SpanMs, targetId?: string): Promise<Copy[]> {
      const query = sound()
        .where('channel_id', channelId)
        .andWhere('start_at', '<', range.toAt)
        .andWhere('start_at', '>', range.fromAt - longestMs)
        .andWhere('end_at', '>', range.fromAt)
        .orderBy('start_at');
      if (targetId !== undefined) query.andWhere('target_id', targetId);
      const rows: CopyRow[] = await query;
      return rows.map(toCopy);
    },
    /** A sum that a file had when it was copied somewhere; undefined when it never was. */
    async findSum(file: string): Promise<string | undefined> {
      const row: { sha256: string } | undefined = await sound().where({ file }).first('sha256');
      return row?.sha256;
    },
    /** It is offered no more. */
    async markAltered(id: string, at: number): Promise<void> {
      await db('copies').where({ id }).update({ is_altered: 1, verified_at: at });
    },
    async totals(): Promise<Map<string, { copies: number; copiedBytes: number }>> {
      const rows: { target_id: string; n: number | string; size: number | string }[] = await db('copies')
        .where('is_altered', 0)
        .groupBy('target_id')
        .select('target_id')
        .count('* as n')
        .sum('size_bytes as size');
      return new Map(
        rows.map((row) => [row.target_id, { copies: Number(row.n), copiedBytes: Number(row.size) }]),
      );
    },
  };
}
export type CopyStore = ReturnType<typeof createCopyStore>;
