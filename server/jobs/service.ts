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
  const owner = `${hostname()}:${process.pid}:${now()}`;
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  const table = new Map<string, JobHandler>();
  let timer: NodeJS.Timeout | undefined;
  let isClosing = false;
  let ticking: Promise<void> = Promise.resolve();

  const isOwnerGone = (other: string) => {
    const [host, pidText] = other.split(':');
    if (other === owner || host !== hostname()) return false;
    try {
      process.kill(Number(pidText), 0);
      return Number(pidText) === process.pid;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  };

  async function end(job: Job, state: JobEnd['state'], extra: { result?: unknown; error?: string }) {
    await store.finish(job.id, { state, at: now(), ...extra });
    await options.onEnd?.({ job, state, ...(extra.error === undefined ? {} : { error: extra.error }) });
  }

  async function afterFailure(job: Job, error: unknown) {
    const text = error instanceof Error ? error.message : String(error);
    const current = await store.find(job.id);
    if (isClosing && !current?.isCancelRequested) return store.requeue(job.id, now(), null);
    if (current?.isCancelRequested) return end(job, 'cancelled', {});
    log.warn({ jobId: job.id, kind: job.kind, attempt: job.attempts, err: error }, 'job failed');
    if (job.attempts >= job.maxAttempts) return end(job, 'failed', { error: text });
    return store.requeue(job.id, now() + Math.min(60_000, 1000 * 4 ** (job.attempts - 1)), text);
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
    try {
      const result = await handler({
        job,
        payload: job.payload as never,
        signal: controller.signal,
        report(progress, note) {
          if (now() - reportedAt < 500) return;
          reportedAt = now();
          store.setProgress(job.id, progress, note ?? null).catch((error: unknown) => {
            log.error({ jobId: job.id, err: error }, 'could not keep job progress');
          });
        },
      });
      await end(job, 'succeeded', { result: result ?? null });
    } catch (error) {
      await afterFailure(job, error);
    } finally {
      clearInterval(lease);
    }
  }

  async function tick() {
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
      const before = await store.find(id);
      await store.requestCancel(id, now());
      running.get(id)?.controller.abort();
      if (before?.state === 'queued') await options.onEnd?.({ job: before, state: 'cancelled' });
    },
    async start() {
      for (const record of options.handlers)
        for (const [kind, handler] of Object.entries(record)) {
          if (table.has(kind)) throw new Error(`two handlers for the job kind ${kind}`);
          table.set(kind, handler);
        }
      for (const kind of options.kinds)
        if (!table.has(kind)) throw new Error(`no handler for the job kind ${kind}`);
      for (const job of await store.listAbandoned(now(), isOwnerGone)) {
        log.warn({ jobId: job.id, kind: job.kind }, 'taking up a job that a dead process left');
        if (job.isCancelRequested) await end(job, 'cancelled', {});
        else if (job.attempts >= job.maxAttempts)
          await end(job, 'failed', { error: 'The server stopped each time while this ran.' });
        else await store.requeue(job.id, now(), null);
      }
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
