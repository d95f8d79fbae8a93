import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Export, ExportMode, ExportResult, PictureRegion } from './schema.ts';
import type { Protection } from './retention.ts';
import type { SpanMs } from './spans.ts';

/** One clip that a person asked for. Instants are epoch ms. */
export interface ExportRecord extends SpanMs {
  readonly id: string;
  readonly jobId: string | null;
  readonly channelId: string;
  readonly channelName: string;
  readonly reason: string;
  readonly requestedBy: string;
  readonly requestedByName: string;
  readonly mode: ExportMode;
  /** Regions made unrecognisable; only where it is transcoded. */
  readonly hidden: readonly PictureRegion[];
  /** Burned into a transcode beside the camera's name. */
  readonly caseNumber: string | null;
  readonly state: Export['state'];
  /** 0..1; null while unknown. */
  readonly progress: number | null;
  /** Name of the file in the exports folder, once ready. */
  readonly file: string | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly result: ExportResult | null;
  readonly error: string | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}
interface ExportRow {
  id: string;
  job_id: string | null;
  channel_id: string;
  channel_name: string | null;
  from_at: number;
  to_at: number;
  reason: string;
  requested_by: string;
  requested_by_name: string;
  mode: ExportMode;
  hidden_json: string | null;
  case_number: string | null;
  state: Export['state'];
  progress: number | null;
  file: string | null;
  size_bytes: number | null;
  sha256: string | null;
  result_json: string | null;
  error: string | null;
  created_at: number;
  finished_at: number | null;
}
const toExport = (row: ExportRow): ExportRecord => ({
  id: row.id,
  jobId: row.job_id,
  channelId: row.channel_id,
  channelName: row.channel_name ?? row.channel_id,
  fromAt: row.from_at,
  toAt: row.to_at,
  reason: row.reason,
  requestedBy: row.requested_by,
  requestedByName: row.requested_by_name,
  mode: row.mode,
  hidden: row.hidden_json === null ? [] : (JSON.parse(row.hidden_json) as PictureRegion[]),
  caseNumber: row.case_number,
  state: row.state,
  progress: row.progress,
  file: row.file,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  result: row.result_json === null ? null : (JSON.parse(row.result_json) as ExportResult),
  error: row.error,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
});

const unfinished = ['queued', 'running'];

/** Queries of exports. */
export function createExportStore(db: Knex) {
  const all = (trx: Db = db) =>
    trx('exports')
      .leftJoin('channels', 'channels.id', 'exports.channel_id')
      .leftJoin('jobs', 'jobs.id', 'exports.job_id')
      .select('exports.*', 'channels.name as channel_name', 'jobs.progress as progress');
  return {
    async insert(
      entry: SpanMs & {
        id: string;
        jobId: string;
        channelId: string;
        reason: string;
        requestedBy: string;
        requestedByName: string;
        mode: ExportMode;
        hidden: readonly PictureRegion[];
        caseNumber: string | null;
        createdAt: number;
      },
      trx: Knex.Transaction,
    ): Promise<void> {
      await trx('exports').insert({
        id: entry.id,
        job_id: entry.jobId,
        channel_id: entry.channelId,
        from_at: entry.fromAt,
        to_at: entry.toAt,
        reason: entry.reason,
        requested_by: entry.requestedBy,
        requested_by_name: entry.requestedByName,
        mode: entry.mode,
        hidden_json: entry.hidden.length === 0 ? null : JSON.stringify(entry.hidden),
        case_number: entry.caseNumber,
        state: 'queued',
        created_at: entry.createdAt,
      });
    },
    async find(id: string, trx: Db = db): Promise<ExportRecord | undefined> {
      const row: ExportRow | undefined = await all(trx).where('exports.id', id).first();
      return row && toExport(row);
    },
    /** Newest first, at most 500; only those of `requestedBy` when it is given. */
    async list(requestedBy?: string): Promise<ExportRecord[]> {
      const query = all().orderBy('exports.created_at', 'desc').limit(500);
      if (requestedBy !== undefined) query.where('exports.requested_by', requestedBy);
      const rows: ExportRow[] = await query;
      return rows.map(toExport);
    },
    /** Those of `ids` that exist, in no order. */
    async listByIds(ids: readonly string[]): Promise<ExportRecord[]> {
      const rows: ExportRow[] = await all().whereIn('exports.id', [...ids]);
      return rows.map(toExport);
    },
    async listUnfinished(): Promise<ExportRecord[]> {
      const rows: ExportRow[] = await all().whereIn('exports.state', unfinished);
      return rows.map(toExport);
    },
    /** Names of the files that ready exports own. */
    async listFiles(): Promise<Set<string>> {
      const rows: { result_json: string }[] = await db('exports')
        .whereNotNull('result_json')
        .select('result_json');
      const results = rows.map((row) => JSON.parse(row.result_json) as ExportResult);
      return new Set(results.flatMap((result) => result.files.map((file) => file.fileName)));
    },
    async setRunning(id: string): Promise<void> {
      await db('exports').where({ id, state: 'queued' }).update({ state: 'running' });
    },
    async setReady(
      id: string,
      done: { file: string; sizeBytes: number; sha256: string; result: ExportResult; at: number },
      trx: Knex.Transaction,
    ): Promise<boolean> {
      const changed = await trx('exports')
        .where({ id })
        .whereIn('state', unfinished)
        .update({
          state: 'ready',
          file: done.file,
          size_bytes: done.sizeBytes,
          sha256: done.sha256,
          result_json: JSON.stringify(done.result),
          error: null,
          finished_at: done.at,
        });
      return changed > 0;
    },
    /** @returns whether it was still unfinished */
    async setEnded(
      id: string,
      end: { state: 'failed' | 'cancelled'; error: string | null; at: number },
      trx: Knex.Transaction,
    ): Promise<boolean> {
      const changed = await trx('exports')
        .where({ id })
        .whereIn('state', unfinished)
        .update({ state: end.state, error: end.error, finished_at: end.at });
      return changed > 0;
    },
    async delete(id: string, trx: Knex.Transaction): Promise<boolean> {
      return (await trx('exports').where({ id }).whereNotIn('state', unfinished).delete()) > 0;
    },
    /** What the exports that have not ended still need of the recordings. */
    async listProtections(): Promise<Protection[]> {
      const rows: { channel_id: string; from_at: number; to_at: number }[] = await db('exports')
        .whereIn('state', unfinished)
        .select('channel_id', 'from_at', 'to_at');
      return rows.map((row) => ({ channelId: row.channel_id, fromAt: row.from_at, toAt: row.to_at }));
    },
  };
}
export type ExportStore = ReturnType<typeof createExportStore>;
