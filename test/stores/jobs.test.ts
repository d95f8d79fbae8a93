import { beforeEach, expect, it } from 'vitest';
import type { Knex } from 'knex';
import { migrate } from '#api/db/migrate.ts';
import { createJobStore, type JobStore } from '#api/jobs/store.ts';
import { describeOnBoth } from './both-databases.ts';

describeOnBoth(({ create, open }) => {
  let db: Knex;
  let one: JobStore;
  let two: JobStore;
  beforeEach(async () => {
    const url = await create();
    db = open(url);
    await migrate(db);
    one = createJobStore(db);
    two = createJobStore(open(url));
  });

  const insert = (id: string, change: { runAt?: number; kind?: string } = {}) =>
    one.insert({
      id,
      kind: 'work',
      payload: { id },
      maxAttempts: 3,
      runAt: 0,
      createdAt: 0,
      createdBy: null,
      ...change,
    });
  const claim = (store: JobStore, owner: string, at = 10) => store.claim(['work'], owner, at, at + 100);

  it('gives each job to one of two claimers that ask at the same time', async () => {
    for (let index = 0; index < 20; index++) await insert(`job-${index}`);
    const drain = async (store: JobStore, owner: string) => {
      const ids: string[] = [];
      for (;;) {
        const job = await claim(store, owner);
        if (!job) return ids;
        ids.push(job.id);
      }
    };
    const taken = (
      await Promise.all([drain(one, 'a'), drain(two, 'b'), drain(one, 'c'), drain(two, 'd')])
    ).flat();
    expect(taken).toHaveLength(20);
    expect(new Set(taken).size).toBe(20);
  });

  it('gives the job that waits longest, of a kind that is asked for and whose time has come', async () => {
    await insert('later', { runAt: 11 });
    await insert('second', { runAt: 5 });
    await insert('first', { runAt: 4 });
    await insert('other', { kind: 'other' });
    expect(await claim(one, 'a')).toMatchObject({
      id: 'first',
      state: 'running',
      attempts: 1,
      claimedBy: 'a',
      claimedUntilAt: 110,
      payload: { id: 'first' },
    });
    expect(await claim(one, 'a')).toMatchObject({ id: 'second' });
    expect(await claim(one, 'a')).toBeUndefined();
    expect(await claim(one, 'a', 11)).toMatchObject({ id: 'later' });
    expect(await one.claim([], 'a', 11, 12)).toBeUndefined();
  });

  it('lets one process take over a lapsed claim, and only then', async () => {
    await insert('job');
    await claim(one, 'dead');
    const [job] = await one.listRunning();
    if (!job) throw new Error('no job');
    expect(await two.takeOver(job, 'b', 110, 210, false)).toBe(false);
    const results = await Promise.all([
      one.takeOver(job, 'a', 111, 211, false),
      two.takeOver(job, 'b', 111, 211, false),
    ]);
    expect(results.toSorted()).toEqual([false, true]);
    expect(await one.finish('job', 'dead', { state: 'succeeded', result: 1, at: 112 })).toBe(false);
    expect(await one.find('job')).toMatchObject({ state: 'running', result: null });
  });

  it('takes over from a dead process before its claim lapses', async () => {
    await insert('job');
    const job = await claim(one, 'dead');
    if (!job) throw new Error('no job');
    expect(await two.takeOver(job, 'b', 11, 111, true)).toBe(true);
  });

  it('keeps a claim that is extended by its holder only', async () => {
    await insert('job');
    await claim(one, 'a');
    await two.extend('job', 'b', 900);
    expect(await one.find('job')).toMatchObject({ claimedUntilAt: 110 });
    await one.extend('job', 'a', 500);
    expect(await one.find('job')).toMatchObject({ claimedUntilAt: 500 });
  });

  it('puts a job back for another try, counted or not', async () => {
    await insert('job');
    await claim(one, 'a');
    expect(await two.requeue('job', 'b', { runAt: 0, error: null })).toBe(false);
    expect(await one.requeue('job', 'a', { runAt: 50, error: 'failed once' })).toBe(true);
    expect(await one.find('job')).toMatchObject({
      state: 'queued',
      error: 'failed once',
      attempts: 1,
      claimedBy: null,
    });
    expect(await claim(two, 'b', 49)).toBeUndefined();
    expect(await claim(two, 'b', 50)).toMatchObject({ attempts: 2 });
    expect(await two.requeue('job', 'b', { runAt: 60, error: null, isUncounted: true })).toBe(true);
    expect(await one.find('job')).toMatchObject({ attempts: 1 });
  });

  it('keeps result, progress and end', async () => {
    await insert('job');
    await claim(one, 'a');
    await one.setProgress('job', 0.25, 'a quarter');
    expect(await two.find('job')).toMatchObject({ progress: 0.25, progressNote: 'a quarter' });
    expect(await one.finish('job', 'a', { state: 'succeeded', result: { file: 'x' }, at: 77 })).toBe(true);
    expect(await two.find('job')).toMatchObject({
      state: 'succeeded',
      result: { file: 'x' },
      progress: 1,
      finishedAt: 77,
    });
    expect(await one.countByState()).toEqual({ succeeded: 1 });
  });

  it('keeps the progress a failed job had reached', async () => {
    await insert('job');
    await claim(one, 'a');
    await one.setProgress('job', 0.5, null);
    await one.finish('job', 'a', { state: 'failed', error: 'disk full', at: 77 });
    expect(await one.find('job')).toMatchObject({
      state: 'failed',
      error: 'disk full',
      progress: 0.5,
      result: null,
    });
  });

  it('cancels a waiting job at once, marks a running one, and leaves an ended one', async () => {
    await insert('waiting', { runAt: 99 });
    await insert('running');
    await claim(one, 'a');
    expect(await two.requestCancel('waiting', 20)).toBe(true);
    expect(await two.requestCancel('running', 20)).toBe(false);
    expect(await one.find('waiting')).toMatchObject({ state: 'cancelled', finishedAt: 20 });
    expect(await one.find('running')).toMatchObject({
      state: 'running',
      isCancelRequested: true,
      finishedAt: null,
    });
    expect(await one.listCancelRequested('a')).toEqual(['running']);
    expect(await one.listCancelRequested('b')).toEqual([]);
    expect(await one.requeue('running', 'a', { runAt: 0, error: null })).toBe(false);
    await one.finish('running', 'a', { state: 'cancelled', at: 30 });
    expect(await two.requestCancel('running', 40)).toBe(false);
    expect(await one.find('running')).toMatchObject({ state: 'cancelled', finishedAt: 30 });
    expect(await one.requestCancel('nothing', 1)).toBe(false);
  });

  it('is written or not with the transaction it belongs to', async () => {
    const undone = db.transaction(async (trx) => {
      await one.insert(
        { id: 'job', kind: 'work', payload: null, maxAttempts: 1, runAt: 0, createdAt: 0, createdBy: null },
        trx,
      );
      expect(await one.find('job', trx)).toBeDefined();
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    expect(await two.find('job')).toBeUndefined();
  });
});
