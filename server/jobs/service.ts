import { hostname } from 'node:os';
import type { Now } from '#api/clock.ts';
import type { Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { Logger } from '#api/log.ts';
import type { Job, JobStore } from './store.ts';

/** What a handler gets. It must be safe to run again after a crash at any point. */
export interface JobContext<P> {
  readonly job: Job;
  readonly payload: P;
  /** Fires on cancel and at shutdown. */
  readonly signal: AbortSignal;
  /** Kept in the database at most twice a second. @param progress 0..1, null while unknown */
  report(progress: number | null, note?: string): void;
}
export type JobHandler<P = never> = (context: JobContext<P>) => Promise<unknown>;
export type JobHandlers = Readonly<Record<string, JobHandler>>;

/** Called once a job is over for good, so that a capability can set its own row. Must be safe to repeat. */
export type JobEnd = {
  readonly job: Job;
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly error?: string;
};

export interface JobService {
  /** Puts a job in the queue, in the caller's transaction if one is handed in. @returns its id */
  enqueue(
    kind: string,
    payload: unknown,
    options?: { trx?: Db; createdBy?: string; maxAttempts?: number; runAt?: number },
  ): Promise<string>;
  find(id: string): Promise<Job | undefined>;
  cancel(id: string): Promise<void>;
  /** Frees what a dead process left running, then starts to take jobs. @throws Error if a kind has no handler or two */
  start(): Promise<void>;
  /** Stops taking jobs, aborts the running ones and puts them back in the queue. */
  close(): Promise<void>;
}

export interface JobServiceOptions {
  readonly store: JobStore;
  /** One record per capability; two with the same kind are refused at start. */
  readonly handlers: readonly JobHandlers[];
  readonly kinds: readonly string[];
  readonly onEnd?: (end: JobEnd) => Promise<void>;
  readonly now: Now;
  readonly log: Logger;
  readonly concurrency?: number;
  readonly pollMs?: number;
}

const leaseMs = 30_000;

/** The job runner of this process: a poll loop with leases; shutdown and crash both lead back to the queue. */
export function createJobService(options: JobServiceOptions): JobService {
  const { store, now, log, concurrency = 2, pollMs = 500 } = options;
  const owner = `${hostname()}:${process.pid}:${newId()}`;
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  const table = new Map<string, JobHandler>();
  let timer: NodeJS.Timeout | undefined;
  let isClosing = false;
  let ticking: Promise<void> = Promise.resolve();
  let takenUpAt = 0;

  const isOwnerGone = (other: string) => {
    const [host, pidText] = other.split(':');
    if (host !== hostname()) return false;
    try {
      process.kill(Number(pidText), 0);
      return Number(pidText) === process.pid;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  };

  /** Only the holder of the claim may end a job: whoever lost it to a lapse leaves everything to the one that took it over. */
  async function end(job: Job, state: JobEnd['state'], extra: { result?: unknown; error?: string } = {}) {
    if (!(await store.finish(job.id, owner, { state, at: now(), ...extra }))) {
      log.warn({ jobId: job.id, kind: job.kind, state }, 'a job ended here after its claim had lapsed');
      return;
    }
    await options.onEnd?.({ job, state, ...(extra.error === undefined ? {} : { error: extra.error }) });
  }

  async function putBack(job: Job, how: Parameters<JobStore['requeue']>[2]) {
    if (await store.requeue(job.id, owner, how)) return;
    if ((await store.find(job.id))?.isCancelRequested) await end(job, 'cancelled');
  }

  async function afterFailure(job: Job, error: unknown) {
    const text = error instanceof Error ? error.message : String(error);
    const current = await store.find(job.id);
    if (current?.isCancelRequested) return end(job, 'cancelled');
    if (isClosing) return putBack(job, { runAt: now(), error: null, isUncounted: true });
    log.warn({ jobId: job.id, kind: job.kind, attempt: job.attempts, err: error }, 'job failed');
    if (job.attempts >= job.maxAttempts) return end(job, 'failed', { error: text });
    return putBack(job, { runAt: now() + Math.min(60_000, 1000 * 4 ** (job.attempts - 1)), error: text });
  }

  async function run(job: Job, controller: AbortController) {
    const handler = table.get(job.kind);
    if (!handler) throw new Error(`no handler for ${job.kind}`);
    let reportedAt = 0;
    const lease = setInterval(() => {
      store.extend(job.id, owner, now() + leaseMs).catch((error: unknown) => {
        log.error({ jobId: job.id, err: error }, 'could not extend a job lease');
      });
    }, leaseMs / 3);
    const report = (progress: number | null, note?: string) => {
      if (now() - reportedAt < 500) return;
      reportedAt = now();
      store.setProgress(job.id, progress, note ?? null).catch((error: unknown) => {
        log.error({ jobId: job.id, err: error }, 'could not keep job progress');
      });
    };
    try {
      const { signal } = controller;
      const work = Promise.resolve({ job, payload: job.payload as never, signal, report }).then(handler);
      const outcome = await work.then(
        (result) => ({ result: result ?? null }),
        (error: unknown) => ({ error }),
      );
      if ('error' in outcome) await afterFailure(job, outcome.error);
      else await end(job, 'succeeded', outcome);
    } finally {
      clearInterval(lease);
    }
  }

  /** Frees what a process that is gone left running: a dead one on this machine at once, one elsewhere when its claim lapses. */
  async function takeUpAbandoned() {
    for (const job of await store.listRunning()) {
      const { claimedBy, claimedUntilAt } = job;
      if (running.has(job.id)) continue;
      // One of our own that does not run: the database failed while its end was to be written.
      const isGone = claimedBy === null || claimedBy === owner || isOwnerGone(claimedBy);
      if (!isGone && (claimedUntilAt ?? 0) >= now()) continue;
      if (!(await store.takeOver(job, owner, now(), now() + leaseMs, isGone))) continue;
      log.warn({ jobId: job.id, kind: job.kind }, 'taking up a job that a dead process left');
      if (job.isCancelRequested) await end(job, 'cancelled');
      else if (job.attempts >= job.maxAttempts)
        await end(job, 'failed', { error: 'The server stopped each time while this ran.' });
      else await putBack(job, { runAt: now(), error: null });
    }
  }

  async function tick() {
    if (now() - takenUpAt >= leaseMs) {
      takenUpAt = now();
      await takeUpAbandoned();
    }
    for (const id of await store.listCancelRequested(owner)) running.get(id)?.controller.abort();
    while (running.size < concurrency) {
      if (isClosing) return;
      const job = await store.claim([...table.keys()], owner, now(), now() + leaseMs);
      if (!job) return;
      const controller = new AbortController();
      const done = run(job, controller)
        .catch((error: unknown) => log.error({ jobId: job.id, err: error }, 'job bookkeeping failed'))
        .finally(() => running.delete(job.id));
      running.set(job.id, { controller, done });
    }
  }

  function schedule() {
    if (isClosing) return;
    timer = setTimeout(() => {
      ticking = tick()
        .catch((error: unknown) => log.error({ err: error }, 'the job loop failed'))
        .finally(schedule);
    }, pollMs);
  }

  return {
    async enqueue(kind, payload, { trx, createdBy, maxAttempts = 3, runAt } = {}) {
      const id = newId();
      const at = now();
      await store.insert(
        { id, kind, payload, maxAttempts, runAt: runAt ?? at, createdAt: at, createdBy: createdBy ?? null },
        trx,
      );
      return id;
    },
    find: (id) => store.find(id),
    async cancel(id) {
      const isCancelled = await store.requestCancel(id, now());
      running.get(id)?.controller.abort();
      const job = isCancelled ? await store.find(id) : undefined;
      if (job) await options.onEnd?.({ job, state: 'cancelled' });
    },
    async start() {
      for (const record of options.handlers)
        for (const [kind, handler] of Object.entries(record)) {
          if (table.has(kind)) throw new Error(`two handlers for the job kind ${kind}`);
          table.set(kind, handler);
        }
      for (const kind of options.kinds)
        if (!table.has(kind)) throw new Error(`no handler for the job kind ${kind}`);
      takenUpAt = now();
      await takeUpAbandoned();
      schedule();
    },
    async close() {
      isClosing = true;
      clearTimeout(timer);
      await ticking;
      for (const { controller } of running.values()) controller.abort();
      await Promise.all([...running.values()].map((entry) => entry.done));
    },
  };
}
