import { dialectOf, type Db } from '#api/db/database.ts';
import type { Knex } from 'knex';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** One unit of work that survives a restart. `progress` is 0..1, null while unknown. */
export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly state: JobState;
  readonly progress: number | null;
  readonly progressNote: string | null;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly isCancelRequested: boolean;
  readonly result: unknown;
  readonly error: string | null;
  readonly createdBy: string | null;
  readonly createdAt: number;
  readonly finishedAt: number | null;
}

interface JobRow {
  id: string;
  kind: string;
  payload_json: string;
  state: JobState;
  progress: number | null;
  progress_note: string | null;
  attempts: number;
  max_attempts: number;
  is_cancel_requested: number;
  result_json: string | null;
  error: string | null;
  created_by: string | null;
  created_at: number;
  finished_at: number | null;
}

const toJob = (row: JobRow): Job => ({
  id: row.id,
  kind: row.kind,
  payload: JSON.parse(row.payload_json),
  state: row.state,
  progress: row.progress,
  progressNote: row.progress_note,
  attempts: row.attempts,
  maxAttempts: row.max_attempts,
  isCancelRequested: row.is_cancel_requested === 1,
  result: row.result_json === null ? null : JSON.parse(row.result_json),
  error: row.error,
  createdBy: row.created_by,
  createdAt: row.created_at,
  finishedAt: row.finished_at,
});

export interface NewJob {
  readonly id: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly maxAttempts: number;
  readonly runAt: number;
  readonly createdAt: number;
  readonly createdBy: string | null;
}

/** Queries of the jobs table. `claimedBy` names a process; a claim lapses at `claimedUntilAt`. */
export function createJobStore(db: Knex) {
  return {
    async insert(job: NewJob, trx: Db = db): Promise<void> {
      await trx('jobs').insert({
        id: job.id,
        kind: job.kind,
        payload_json: JSON.stringify(job.payload),
        state: 'queued',
        max_attempts: job.maxAttempts,
        run_at: job.runAt,
        created_by: job.createdBy,
        created_at: job.createdAt,
      });
    },

    async find(id: string, trx: Db = db): Promise<Job | undefined> {
      const row: JobRow | undefined = await trx('jobs').where({ id }).first();
      return row && toJob(row);
    },

    /** Takes the due job that waits longest, or undefined. Two processes never get the same one. */
    claim(
      kinds: readonly string[],
      claimedBy: string,
      at: number,
      untilAt: number,
    ): Promise<Job | undefined> {
      return db.transaction(async (trx) => {
        const query = trx<JobRow>('jobs')
          .where('state', 'queued')
          .andWhere('run_at', '<=', at)
          .whereIn('kind', kinds)
          .orderBy('run_at')
          .limit(1);
        if (dialectOf(db) === 'postgres') query.forUpdate().skipLocked();
        const row: JobRow | undefined = await query.first();
        if (!row) return undefined;
        const taken = {
          state: 'running' as const,
          attempts: row.attempts + 1,
          claimed_by: claimedBy,
          claimed_until_at: untilAt,
        };
        await trx('jobs').where({ id: row.id }).update(taken);
        return toJob({ ...row, ...taken });
      });
    },

    async extend(id: string, claimedBy: string, untilAt: number): Promise<void> {
      await db('jobs')
        .where({ id, claimed_by: claimedBy, state: 'running' })
        .update({ claimed_until_at: untilAt });
    },

    async setProgress(id: string, progress: number | null, note: string | null): Promise<void> {
      await db('jobs').where({ id, state: 'running' }).update({ progress, progress_note: note });
    },

    async finish(
      id: string,
      end: { state: 'succeeded' | 'failed' | 'cancelled'; result?: unknown; error?: string; at: number },
      trx: Db = db,
    ): Promise<void> {
      await trx('jobs')
        .where({ id })
        .update({
          state: end.state,
          result_json: end.result === undefined ? null : JSON.stringify(end.result),
          error: end.error ?? null,
          progress: end.state === 'succeeded' ? 1 : db.ref('progress'),
          finished_at: end.at,
          claimed_by: null,
          claimed_until_at: null,
        });
    },

    async requeue(id: string, runAt: number, error: string | null): Promise<void> {
      await db('jobs')
        .where({ id })
        .update({ state: 'queued', run_at: runAt, error, claimed_by: null, claimed_until_at: null });
    },

    /** Running jobs whose process is gone: the claim lapsed, or it was held by `deadOwners`. */
    async listAbandoned(at: number, isOwnerGone: (owner: string) => boolean): Promise<Job[]> {
      const rows: (JobRow & { claimed_by: string; claimed_until_at: number })[] = await db('jobs').where({
        state: 'running',
      });
      return rows.filter((row) => row.claimed_until_at < at || isOwnerGone(row.claimed_by)).map(toJob);
    },

    /** Cancels at once if it is still queued; a running one is only marked, its process ends it. */
    async requestCancel(id: string, at: number): Promise<void> {
      await db('jobs').where({ id, state: 'queued' }).update({ state: 'cancelled', finished_at: at });
      await db('jobs').where({ id, state: 'running' }).update({ is_cancel_requested: 1 });
    },

    async listCancelRequested(claimedBy: string): Promise<string[]> {
      const rows: { id: string }[] = await db('jobs')
        .where({ state: 'running', claimed_by: claimedBy, is_cancel_requested: 1 })
        .select('id');
      return rows.map((row) => row.id);
    },

    async countByState(): Promise<Record<string, number>> {
      const rows: { state: string; n: number | string }[] = await db('jobs')
        .groupBy('state')
        .select('state')
        .count('* as n');
      return Object.fromEntries(rows.map((row) => [row.state, Number(row.n)]));
    },
  };
}
export type JobStore = ReturnType<typeof createJobStore>;
