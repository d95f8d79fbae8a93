import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Run } from './schema.ts';
import type { SpanMs } from './types.ts';

export type RunState = Run['state'];
export interface Failure {
  readonly file: string;
  readonly problem: string;
}
export interface RunRecord extends SpanMs {
  readonly id: string;
  readonly kind: 'copy' | 'restore';
  readonly planId: string | null;
  readonly planName: string | null;
  readonly targetId: string;
  readonly targetName: string;
  readonly jobId: string | null;
  readonly channelIds: readonly string[] | null;
  readonly isHeldOnly: boolean;
  readonly state: RunState;
  readonly filesTotal: number | null;
  readonly bytesTotal: number | null;
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly filesFailed: number;
  readonly failures: readonly Failure[];
  readonly problem: string | null;
  readonly tries: number;
  readonly nextTryAt: number | null;
  readonly requestedByName: string;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}
interface RunRow {
  id: string;
  kind: 'copy' | 'restore';
  plan_id: string | null;
  plan_name: string | null;
  target_id: string;
  target_name: string;
  job_id: string | null;
  channel_ids_json: string | null;
  from_at: number;
  to_at: number;
  is_held_only: number;
  state: RunState;
  files_total: number | null;
  bytes_total: number | null;
  files_done: number;
  bytes_done: number;
  files_failed: number;
  failures_json: string;
  problem: string | null;
  tries: number;
  next_try_at: number | null;
  requested_by_name: string;
  created_at: number;
  finished_at: number | null;
}
const toRun = (row: RunRow): RunRecord => ({
  id: row.id,
  kind: row.kind,
  planId: row.plan_id,
  planName: row.plan_name,
  targetId: row.target_id,
  targetName: row.target_name,
  jobId: row.job_id,
  channelIds: row.channel_ids_json === null ? null : (JSON.parse(row.channel_ids_json) as string[]),
  fromAt: row.from_at,
  toAt: row.to_at,
  isHeldOnly: row.is_held_only === 1,
  state: row.state,
  filesTotal: row.files_total,
  bytesTotal: row.bytes_total,
  filesDone: row.files_done,
  bytesDone: row.bytes_done,
  filesFailed: row.files_failed,
  failures: JSON.parse(row.failures_json) as Failure[],
  problem: row.problem,
  tries: row.tries,
  nextTryAt: row.next_try_at,
  requestedByName: row.requested_by_name,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
});
export const unfinished: readonly RunState[] = ['queued', 'running', 'waiting'];
const mostFailures = 100;

/** What a slice of a run found, added to what earlier ones did. */
export interface SliceResult {
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly failures: readonly Failure[];
}

/** Queries of backup runs. Changes touch unfinished runs only: one that was cancelled stays so. */
export function createBackupRunStore(db: Knex) {
  const all = (trx: Db = db) =>
    trx('backup_runs')
      .join('backup_targets', 'backup_targets.id', 'backup_runs.target_id')
      .leftJoin('backup_plans', 'backup_plans.id', 'backup_runs.plan_id')
      .select('backup_runs.*', 'backup_targets.name as target_name', 'backup_plans.name as plan_name');
  const open = (id: string, trx: Db = db) => trx('backup_runs').where({ id }).whereIn('state', unfinished);
  return {
    async insert(
      run: SpanMs & {
        id: string;
        kind: 'copy' | 'restore';
        planId: string | null;
        targetId: string;
        jobId: string;
        channelIds: readonly string[] | null;
        isHeldOnly: boolean;
        requestedBy: string | null;
        requestedByName: string;
        createdAt: number;
      },
      trx: Db,
    ): Promise<void> {
      await trx('backup_runs').insert({
        id: run.id,
        kind: run.kind,
        plan_id: run.planId,
        target_id: run.targetId,
        job_id: run.jobId,
        channel_ids_json: run.channelIds === null ? null : JSON.stringify(run.channelIds),
        from_at: run.fromAt,
        to_at: run.toAt,
        is_held_only: run.isHeldOnly ? 1 : 0,
        state: 'queued',
        requested_by: run.requestedBy,
        requested_by_name: run.requestedByName,
        created_at: run.createdAt,
      });
    },
    async find(id: string, trx: Db = db): Promise<RunRecord | undefined> {
      const row: RunRow | undefined = await all(trx).where('backup_runs.id', id).first();
      return row && toRun(row);
    },
    /** Newest first, at most 200. */
    async list(): Promise<RunRecord[]> {
      const rows: RunRow[] = await all().orderBy('backup_runs.created_at', 'desc').limit(200);
      return rows.map(toRun);
    },
    async listUnfinished(): Promise<RunRecord[]> {
      const rows: RunRow[] = await all().whereIn('backup_runs.state', unfinished);
      return rows.map(toRun);
    },
    async setTotals(id: string, filesTotal: number, bytesTotal: number): Promise<void> {
      await open(id).update({ files_total: filesTotal, bytes_total: bytesTotal });
    },
    async setRunning(id: string): Promise<boolean> {
      return (await open(id).update({ state: 'running', problem: null, next_try_at: null })) > 0;
    },
    /** Adds what was done since the last call. */
    async addProgress(id: string, result: SliceResult): Promise<void> {
      await db.transaction(async (trx) => {
        const row: RunRow | undefined = await open(id, trx).first();
        if (!row) return;
        const failures = [...(JSON.parse(row.failures_json) as Failure[]), ...result.failures];
        await open(id, trx).update({
          files_done: row.files_done + result.filesDone,
          bytes_done: row.bytes_done + result.bytesDone,
          files_failed: row.files_failed + result.failures.length,
          failures_json: JSON.stringify(failures.slice(0, mostFailures)),
          ...(result.filesDone > 0 ? { tries: 0 } : {}),
        });
      });
    },
    /** The job that goes on with it; `problem` says what is waited for. @returns whether the run is still wanted */
    async setNext(
      id: string,
      next: { jobId: string; problem: string | null; nextTryAt: number | null; tries: number },
      trx: Db,
    ): Promise<boolean> {
      const changed = await open(id, trx).update({
        ...(next.problem === null ? {} : { state: 'waiting' }),
        job_id: next.jobId,
        problem: next.problem,
        next_try_at: next.nextTryAt,
        tries: next.tries,
      });
      return changed > 0;
    },
    /** @returns whether it was still unfinished */
    async setEnded(
      id: string,
      end: { state: 'done' | 'failed' | 'cancelled'; problem: string | null; at: number },
      trx: Db,
    ): Promise<boolean> {
      const changed = await open(id, trx).update({
        state: end.state,
        problem: end.problem,
        next_try_at: null,
        finished_at: end.at,
      });
      return changed > 0;
    },
  };
}
export type BackupRunStore = ReturnType<typeof createBackupRunStore>;
