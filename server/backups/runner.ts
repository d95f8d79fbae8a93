import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { OwnFootageService } from '#api/footage/own-footage-service.ts';
import type { JobContext, JobEnd, JobHandlers, JobService } from '#api/jobs/service.ts';
import type { Logger } from '#api/log.ts';
import type { CopyStore } from './copy-store.ts';
import { listPending, type Work } from './pending.ts';
import { bringBack, copyOut } from './file-copy.ts';
import type { BackupRunStore, RunRecord } from './run-store.ts';
import type { TargetRecord, TargetStore } from './target-store.ts';
import { BackupError, isTargetProblem, type BackupTarget } from './types.ts';

export const backupJobKind = 'backup.slice';
/** What the job carries; everything else is in the run's row. */
export interface BackupJob {
  readonly runId: string;
}

export interface BackupRunner {
  readonly handlers: JobHandlers;
  /** Ends the row of a run whose job was cancelled or has given up. Ignores other kinds. Safe to repeat. */
  onJobEnd(end: JobEnd): Promise<void>;
  /** Once, before jobs run: gives runs whose job is gone a new one. */
  start(jobs: JobService): Promise<void>;
}

/** After so long a run makes way for other jobs and goes on behind them: a night's copying must not keep exports waiting. */
const sliceMs = 20_000;
const busyPauseMs = 3_000;
const firstRetryMs = 10_000;
const longestRetryMs = 30 * 60_000;
/** A target that did not answer for about a week of half hours. */
const mostTries = 340;
/** A run with more is given up: something is wrong with all of it. */
const mostFailures = 100;

/**
 * Does the work of copying and restoring, file by file: a file is in the index of copies, or back in the recording index, only once its
 * hash was proved, so a run that is killed anywhere goes on where it was. A target that is not there, full or slow makes the run wait.
 */
export function createBackupRunner(options: {
  db: Knex;
  targets: TargetStore;
  runs: BackupRunStore;
  copies: CopyStore;
  own: OwnFootageService;
  open: (target: TargetRecord) => BackupTarget;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): BackupRunner {
  const { db, targets, runs, copies, own, bus, audit, now, log } = options;
  let jobs: JobService | undefined;
  let isBusy = false;

  const tell = (runId: string) => bus.emit({ name: 'backup.changed', runId });

  async function slice({ job, payload, signal }: JobContext<BackupJob>): Promise<unknown> {
    const run = await runs.find(payload.runId);
    // Another job goes on with this run: this one was made before a crash and replaced already.
    if (!run || run.jobId !== job.id) return null;
    if (isBusy) return goOn(run, { problem: null, inMs: busyPauseMs, tries: run.tries });
    isBusy = true;
    try {
      if (!(await runs.setRunning(run.id))) return null;
      tell(run.id);
      await work(run, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      await wait(run.id, error);
    } finally {
      isBusy = false;
      tell(run.id);
    }
    return null;
  }

  async function work(run: RunRecord, signal: AbortSignal): Promise<void> {
    const record = await targets.findTarget(run.targetId);
    if (!record) return;
    const target = options.open(record);
    try {
      await target.check(AbortSignal.any([signal, AbortSignal.timeout(15_000)])).catch((error: unknown) => {
        if (signal.aborted || error instanceof BackupError) throw error;
        throw new BackupError('slow', 'the target did not answer', { cause: error });
      });
      if (run.filesTotal === null) await count(run);
      const failed = new Set(run.failures.map((failure) => failure.file));
      const endAt = Date.now() + sliceMs;
      for await (const item of listPending(run, { own, copies })) {
        if (Date.now() > endAt) return void (await goOn(run, { problem: null, inMs: 0, tries: 0 }));
        if (failed.has(item.file)) continue;
        if (!(await doOne(run, target, item, signal))) failed.add(item.file);
        tell(run.id);
        if (failed.size >= mostFailures) break;
      }
      await setTarget(record, 'ok');
      await finish(run);
    } catch (error) {
      if (error instanceof BackupError && isTargetProblem(error.code)) await setTarget(record, error.code);
      throw error;
    } finally {
      target.close();
    }
  }

  async function count(run: RunRecord): Promise<void> {
    let files = 0;
    let sizeBytes = 0;
    for await (const item of listPending(run, { own, copies })) {
      files += 1;
      sizeBytes += item.sizeBytes;
    }
    await runs.setTotals(run.id, files, sizeBytes);
  }

  /** @returns whether it was done; false when something is wrong with this one file, which is no reason to stop */
  async function doOne(
    run: RunRecord,
    target: BackupTarget,
    item: Work,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { file, sizeBytes } = item;
    try {
      if (item.kind === 'copy') {
        const knownSum = await copies.findSum(file);
        const sha256 = await copyOut(target, file, { path: own.pathOf(file), sizeBytes, knownSum }, signal);
        if (sha256 !== undefined)
          await copies.insert({ ...item.source, targetId: run.targetId, sha256 }, now());
      } else {
        await bringBack(
          target,
          file,
          { path: own.pathOf(file), sizeBytes, sha256: item.source.sha256 },
          signal,
        );
        await own.adopt(item.source);
      }
    } catch (error) {
      if (!(error instanceof BackupError) || isTargetProblem(error.code)) throw error;
      log.error({ runId: run.id, file, problem: error.code, err: error }, 'a file could not be copied');
      if (error.code === 'copy-altered' && item.kind === 'restore')
        await copies.markAltered(item.source.id, now());
      await runs.addProgress(run.id, {
        filesDone: 0,
        bytesDone: 0,
        failures: [{ file, problem: error.code }],
      });
      await audit.record({
        action: `backup.${error.code}`,
        actor: { system: 'backups' },
        subjectType: 'channel',
        subjectId: item.source.channelId,
        outcome: 'failed',
        detail: { runId: run.id, targetId: run.targetId, file },
      });
      return false;
    }
    await runs.addProgress(run.id, { filesDone: 1, bytesDone: sizeBytes, failures: [] });
    return true;
  }

  async function setTarget(record: TargetRecord, state: TargetRecord['state']): Promise<void> {
    if (!(await targets.setTargetState(record.id, state, now()))) return;
    log[state === 'ok' ? 'info' : 'warn']({ targetId: record.id, state }, 'the state of a backup target');
    await audit.record({
      action: 'backup.target-state',
      actor: { system: 'backups' },
      outcome: state === 'ok' ? 'ok' : 'failed',
      detail: { targetId: record.id, name: record.name, state },
    });
  }

  async function finish({ id, kind, planId, targetId, toAt }: RunRecord): Promise<void> {
    await db.transaction(async (trx) => {
      const run = await runs.find(id, trx);
      if (!run) return;
      const { filesDone, bytesDone, filesFailed, failures } = run;
      const state = filesFailed === 0 ? 'done' : 'failed';
      const problem = filesFailed === 0 ? null : 'some-files';
      if (!(await runs.setEnded(id, { state, problem, at: now() }, trx))) return;
      if (state === 'done' && planId !== null) await targets.setCopiedTo(planId, toAt, trx);
      await audit.record(
        {
          action: `backup.${kind}-${state}`,
          actor: { system: 'backups' },
          outcome: state === 'done' ? 'ok' : 'failed',
          detail: { runId: id, targetId, filesDone, bytesDone, filesFailed, failures: failures.slice(0, 20) },
        },
        trx,
      );
    });
  }

  /** Makes the run wait for its target, longer each time; gives up after a week. */
  async function wait(runId: string, error: unknown): Promise<void> {
    const run = await runs.find(runId);
    if (!run) return;
    const problem = error instanceof BackupError ? error.code : 'internal';
    const tries = run.tries + 1;
    log.warn({ runId, problem, tries, err: error }, 'a backup has to wait');
    if (tries > mostTries) return end(runId, 'failed', problem);
    await goOn(run, { problem, inMs: Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1)), tries });
  }

  async function goOn(
    run: RunRecord,
    next: { problem: string | null; inMs: number; tries: number },
  ): Promise<void> {
    if (!jobs) throw new Error('the backup runner was not started');
    const service = jobs;
    const runAt = now() + next.inMs;
    await db.transaction(async (trx) => {
      const payload: BackupJob = { runId: run.id };
      const jobId = await service.enqueue(backupJobKind, payload, { trx, runAt, maxAttempts: 1000 });
      const nextTryAt = next.problem === null ? null : runAt;
      await runs.setNext(run.id, { jobId, problem: next.problem, nextTryAt, tries: next.tries }, trx);
    });
  }

  async function end(runId: string, state: 'failed' | 'cancelled', problem: string | null): Promise<void> {
    await db.transaction(async (trx) => {
      if (!(await runs.setEnded(runId, { state, problem, at: now() }, trx))) return;
      await audit.record(
        {
          action: `backup.${state}`,
          actor: { system: 'backups' },
          outcome: 'failed',
          detail: { runId, problem },
        },
        trx,
      );
    });
    tell(runId);
  }

  return {
    handlers: { [backupJobKind]: slice },
    async onJobEnd({ job, state }) {
      if (job.kind !== backupJobKind || state === 'succeeded') return;
      const { runId } = job.payload as BackupJob;
      if ((await runs.find(runId))?.jobId !== job.id) return;
      await end(runId, state, state === 'failed' ? 'internal' : null);
    },
    async start(service) {
      jobs = service;
      for (const run of await runs.listUnfinished()) {
        const job = run.jobId === null ? undefined : await service.find(run.jobId);
        if (job?.state === 'queued' || job?.state === 'running') continue;
        await goOn(run, { problem: null, inMs: 0, tries: 0 });
      }
    },
  };
}
