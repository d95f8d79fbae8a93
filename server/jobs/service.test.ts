import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from '#api/db/database.ts';
import { migrate } from '#api/db/migrate.ts';
import { createLogger } from '#api/log.ts';
import { createJobService, type JobEnd, type JobHandler, type JobService } from './service.ts';
import { createJobStore, type Job, type JobStore } from './store.ts';

const log = createLogger({ logLevel: 'silent' });
const deadOwner = `${hostname()}:999999999:gone`; // above the kernel's largest process id
let dir: string;
let db: Knex;
let store: JobStore;
let now: number;
let ends: JobEnd[];
const services: JobService[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weian-jobs-'));
  db = openDatabase(`sqlite:${join(dir, 'jobs.db')}`);
  await migrate(db);
  store = createJobStore(db);
  now = 1_000_000;
  ends = [];
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
  await db.destroy();
  rmSync(dir, { recursive: true, force: true });
});

function make(handlers: Record<string, JobHandler<never>>, kinds = Object.keys(handlers)): JobService {
  const service = createJobService({
    store,
    handlers: [handlers],
    kinds,
    now: () => now,
    log,
    pollMs: 5,
    onEnd: async (end) => void ends.push(end),
  });
  services.push(service);
  return service;
}

async function whenJob(id: string, isTrue: (job: Job) => boolean): Promise<Job> {
  return vi.waitFor(
    async () => {
      const job = await store.find(id);
      if (!job || !isTrue(job)) throw new Error(`job is ${JSON.stringify(job)}`);
      return job;
    },
    { timeout: 5000, interval: 5 },
  );
}
const whenState = (id: string, state: Job['state']) => whenJob(id, (job) => job.state === state);
const untilAborted = ({ signal }: { signal: AbortSignal }) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));

async function insertRunning(
  id: string,
  claimedBy: string,
  claimedUntilAt: number,
  attempts = 1,
): Promise<void> {
  const row = { id, kind: 'work', payload: null, maxAttempts: 3, runAt: 0, createdAt: 0, createdBy: null };
  await store.insert(row);
  await db('jobs')
    .where({ id })
    .update({ state: 'running', claimed_by: claimedBy, claimed_until_at: claimedUntilAt, attempts });
}

describe('a job', () => {
  it('runs with its payload, and its result is kept', async () => {
    const jobs = make({ double: async ({ payload }: { payload: { n: number } }) => payload.n * 2 });
    await jobs.start();
    const id = await jobs.enqueue('double', { n: 21 }, { createdBy: 'user-1' });
    expect(await whenState(id, 'succeeded')).toMatchObject({
      result: 42,
      progress: 1,
      attempts: 1,
      createdBy: 'user-1',
      finishedAt: now,
    });
    await vi.waitFor(() => expect(ends).toMatchObject([{ state: 'succeeded', job: { id } }]));
  });

  it('that was enqueued in a transaction rolled back never runs', async () => {
    const jobs = make({ work: async () => null });
    const undone = db.transaction(async (trx) => {
      await jobs.enqueue('work', {}, { trx });
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    expect(await db('jobs')).toEqual([]);
  });

  it('waits for its time', async () => {
    const jobs = make({ work: async () => null });
    await jobs.start();
    const id = await jobs.enqueue('work', {}, { runAt: now + 1000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await store.find(id)).toMatchObject({ state: 'queued' });
    now += 1000;
    await whenState(id, 'succeeded');
  });

  it('that fails is tried again later and later, then is dead with its last error', async () => {
    const starts: number[] = [];
    const jobs = make({
      fail: async () => {
        starts.push(now);
        throw new Error(`attempt ${starts.length}`);
      },
    });
    await jobs.start();
    const id = await jobs.enqueue('fail', {}, { maxAttempts: 4 });
    for (const [index, backOffMs] of [1000, 4000, 16_000].entries()) {
      const attempts = index + 1;
      const job = await whenJob(id, (one) => one.state === 'queued' && one.attempts === attempts);
      expect(job.error).toBe(`attempt ${attempts}`);
      now += backOffMs - 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(starts).toHaveLength(attempts);
      now += 1;
      await vi.waitFor(() => expect(starts).toHaveLength(attempts + 1));
    }
    expect(await whenState(id, 'failed')).toMatchObject({ error: 'attempt 4', attempts: 4 });
    await vi.waitFor(() => expect(ends).toMatchObject([{ state: 'failed', error: 'attempt 4' }]));
  });

  it('whose handler throws before its first await fails like any other', async () => {
    const jobs = make({
      sync: () => {
        throw new Error('at once');
      },
    });
    await jobs.start();
    const id = await jobs.enqueue('sync', {}, { maxAttempts: 1 });
    expect(await whenState(id, 'failed')).toMatchObject({ error: 'at once' });
  });

  it('is cancelled while it waits and never starts', async () => {
    const work = vi.fn(async () => null);
    const jobs = make({ work });
    const id = await jobs.enqueue('work', {});
    await jobs.cancel(id);
    await jobs.start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await store.find(id)).toMatchObject({ state: 'cancelled', finishedAt: now });
    expect(ends).toMatchObject([{ state: 'cancelled' }]);
    expect(work).not.toHaveBeenCalled();
  });

  it('is cancelled while it runs', async () => {
    const jobs = make({ work: untilAborted });
    await jobs.start();
    const id = await jobs.enqueue('work', {});
    await whenState(id, 'running');
    await jobs.cancel(id);
    expect(await whenState(id, 'cancelled')).toMatchObject({ error: null });
    await jobs.cancel(id);
    await vi.waitFor(() => expect(ends).toHaveLength(1));
  });

  it('is cancelled by another process than the one that runs it', async () => {
    const jobs = make({ work: untilAborted });
    await jobs.start();
    const id = await jobs.enqueue('work', {});
    await whenState(id, 'running');
    await store.requestCancel(id, now);
    await whenState(id, 'cancelled');
  });
});

describe('the runner', () => {
  it('keeps to its concurrency', async () => {
    let running = 0;
    let most = 0;
    const jobs = make({
      work: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 15));
        running -= 1;
      },
    });
    await jobs.start();
    const ids = await Promise.all(Array.from({ length: 6 }, () => jobs.enqueue('work', {})));
    for (const id of ids) await whenState(id, 'succeeded');
    expect(most).toBe(2);
  });

  it('puts a running job back at shutdown, without counting the attempt, for the next start', async () => {
    const first = make({ work: untilAborted });
    await first.start();
    const id = await first.enqueue('work', {});
    await whenState(id, 'running');
    await first.close();
    expect(await store.find(id)).toMatchObject({
      state: 'queued',
      attempts: 0,
      error: null,
      claimedBy: null,
    });
    await make({ work: async () => 'done' }).start();
    expect(await whenState(id, 'succeeded')).toMatchObject({ result: 'done', attempts: 1 });
    expect(ends).toHaveLength(1);
  });

  it('takes up at start what a crashed process on this machine left, whatever its claim says', async () => {
    await insertRunning('left', deadOwner, now + 30_000);
    await make({ work: async () => 'resumed' }).start();
    expect(await whenState('left', 'succeeded')).toMatchObject({ result: 'resumed', attempts: 2 });
  });

  it('gives up a job that took the server down each time', async () => {
    await insertRunning('poison', deadOwner, now + 30_000, 3);
    await make({ work: async () => null }).start();
    expect(await store.find('poison')).toMatchObject({
      state: 'failed',
      error: 'The server stopped each time while this ran.',
    });
    expect(ends).toMatchObject([{ state: 'failed', job: { id: 'poison' } }]);
  });

  it('takes up what a machine elsewhere left only once its claim has lapsed, also while running', async () => {
    await insertRunning('elsewhere', 'other-machine:1:x', now + 30_000);
    await make({ work: async () => 'resumed' }).start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await store.find('elsewhere')).toMatchObject({ state: 'running', claimedBy: 'other-machine:1:x' });
    now += 30_001;
    expect(await whenState('elsewhere', 'succeeded')).toMatchObject({ result: 'resumed' });
  });

  it('leaves the end to whoever took the job over after its claim lapsed', async () => {
    let finish: (value: string) => void = () => undefined;
    const jobs = make({ work: () => new Promise<string>((resolve) => (finish = resolve)) });
    await jobs.start();
    const id = await jobs.enqueue('work', {});
    await whenState(id, 'running');
    await db('jobs').where({ id }).update({ claimed_by: 'other-machine:1:x' });
    finish('too late');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await store.find(id)).toMatchObject({
      state: 'running',
      claimedBy: 'other-machine:1:x',
      result: null,
    });
    expect(ends).toEqual([]);
  });

  it('refuses to start when a kind has two handlers', async () => {
    const one = { work: async () => null };
    const jobs = createJobService({ store, handlers: [one, one], kinds: ['work'], now: () => now, log });
    await expect(jobs.start()).rejects.toThrow('two handlers for the job kind work');
  });

  it('refuses to start when a kind has none', async () => {
    await expect(make({}, ['footage.export']).start()).rejects.toThrow(
      'no handler for the job kind footage.export',
    );
  });
});
