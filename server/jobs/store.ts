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
  /** The process that runs it and until when its claim holds; null while nobody does. */
  readonly claimedBy: string | null;
  readonly claimedUntilAt: number | null;
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
  claimed_by: string | null;
  claimed_until_at: number | null;
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
  claimedBy: row.claimed_by,
  claimedUntilAt: row.claimed_until_at,
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
    async claim(
      kinds: readonly string[],
      claimedBy: string,
      at: number,
      untilAt: number,
    ): Promise<Job | undefined> {
      const next = db('jobs')
        .select('id')
        .where('state', 'queued')
        .andWhere('run_at', '<=', at)
        .whereIn('kind', kinds)
        .orderBy([{ column: 'run_at' }, { column: 'created_at' }])
        .limit(1);
      if (dialectOf(db) === 'postgres') next.forUpdate().skipLocked();
      // One statement: SQLite then takes its write lock before it reads, so two processes wait instead of failing.
      const rows: JobRow[] = await db('jobs')
        .where('id', next)
        .update({
          state: 'running',
          attempts: db.raw('attempts + 1'),
          claimed_by: claimedBy,
          claimed_until_at: untilAt,
        })
        .returning('*');
      return rows[0] && toJob(rows[0]);
    },

    async extend(id: string, claimedBy: string, untilAt: number): Promise<void> {
      await db('jobs')
        .where({ id, claimed_by: claimedBy, state: 'running' })
        .update({ claimed_until_at: untilAt });
    },

    async setProgress(id: string, progress: number | null, note: string | null): Promise<void> {
      await db('jobs').where({ id, state: 'running' }).update({ progress, progress_note: note });
    },

    /** @returns false, and nothing is written, when `claimedBy` no longer holds the job */
    async finish(
      id: string,
      claimedBy: string,
      end: { state: 'succeeded' | 'failed' | 'cancelled'; result?: unknown; error?: string; at: number },
    ): Promise<boolean> {
      const changed = await db('jobs')
        .where({ id, claimed_by: claimedBy, state: 'running' })
        .update({
          state: end.state,
          result_json: end.result === undefined ? null : JSON.stringify(end.result),
          error: end.error ?? null,
          progress: end.state === 'succeeded' ? 1 : db.ref('progress'),
          finished_at: end.at,
          claimed_by: null,
          claimed_until_at: null,
        });
      return changed === 1;
    },

    /**
     * Puts a job back that `claimedBy` holds.
     * @param isUncounted the attempt was not the job's fault and does not count
     * @returns false, and nothing is written, when `claimedBy` does not hold it, or when a cancel came in between
     */
    async requeue(
      id: string,
      claimedBy: string,
      { runAt, error, isUncounted = false }: { runAt: number; error: string | null; isUncounted?: boolean },
    ): Promise<boolean> {
      const changed = await db('jobs')
        .where({ id, claimed_by: claimedBy, state: 'running', is_cancel_requested: 0 })
        .update({
          state: 'queued',
          run_at: runAt,
          error,
          claimed_by: null,
          claimed_until_at: null,
          ...(isUncounted && { attempts: db.raw('attempts - 1') }),
        });
      return changed === 1;
    },

    /**
     * Takes over a running job whose holder is gone, so that its end can be decided by one process only.
     * @returns false when another process was quicker or the holder lives on
     */
    async takeOver(
      job: Job,
      claimedBy: string,
      at: number,
      untilAt: number,
      isGone: boolean,
    ): Promise<boolean> {
      const query = db('jobs').where({ id: job.id, claimed_by: job.claimedBy, state: 'running' });
      if (!isGone) query.andWhere('claimed_until_at', '<', at);
      return (await query.update({ claimed_by: claimedBy, claimed_until_at: untilAt })) === 1;
    },

    async listRunning(): Promise<Job[]> {
      const rows: JobRow[] = await db('jobs').where({ state: 'running' });
      return rows.map(toJob);
    },

    /**
     * Cancels at once if it is still queued; a running one is only marked, its process ends it.
     * @returns whether it is cancelled now
     */
    async requestCancel(id: string, at: number): Promise<boolean> {
      const rows: { state: JobState }[] = await db('jobs')
        .where({ id })
        .whereIn('state', ['queued', 'running'])
        .update({
          finished_at: db.raw("CASE state WHEN 'queued' THEN ? ELSE finished_at END", [at]),
          is_cancel_requested: 1,
          state: db.raw("CASE state WHEN 'queued' THEN 'cancelled' ELSE state END"),
        })
        .returning('state');
      return rows[0]?.state === 'cancelled';
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
