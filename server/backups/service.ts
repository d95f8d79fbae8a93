import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { SecretBox } from '#api/auth/secret-box.ts';
import { toWire, type Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { OwnFootageService } from '#api/footage/own-footage-service.ts';
import { checkRange, type By } from '#api/footage/service.ts';
import type { JobService } from '#api/jobs/service.ts';
import type { CopyStore } from './copy-store.ts';
import { prepareFolder } from './folder-target.ts';
import { isSchedule } from './plan-clock.ts';
import { backupJobKind, type BackupJob } from './runner.ts';
import type { BackupRunStore, RunRecord } from './run-store.ts';
import type { PlanChange, TargetChange } from './schema.ts';
import type { PlanRecord, TargetRecord, TargetStore } from './target-store.ts';
import { BackupError, isTargetProblem, type BackupTarget, type SpanMs } from './types.ts';

const longestRangeMs = 366 * 86_400_000;
const checkMs = 15_000;

/** A target with what is copied there. */
export type TargetStatus = TargetRecord & { readonly copies: number; readonly copiedBytes: number };
/** Copies of a channel at one target: where time is covered, and how many files there is none of here. */
export interface CopiesAt {
  readonly targetId: string;
  readonly targetName: string;
  readonly spans: readonly SpanMs[];
  readonly files: number;
  readonly filesOnlyThere: number;
}

/** Setting up targets and plans, asking for copies and for restores. Instants are epoch ms. */
export function createBackupService(options: {
  db: Knex;
  targets: TargetStore;
  runs: BackupRunStore;
  copies: CopyStore;
  own: OwnFootageService;
  secrets: SecretBox;
  open: (target: TargetRecord) => BackupTarget;
  jobs: JobService;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, targets, runs, copies, own, secrets, jobs, audit, now } = options;

  async function write<T>(
    action: string,
    by: By | undefined,
    detail: Record<string, unknown>,
    work: (trx: Knex.Transaction) => Promise<T>,
  ): Promise<T> {
    return db.transaction(async (trx) => {
      const result = await work(trx);
      await audit.record(
        {
          action,
          actor: by?.actor ?? { system: 'backups' },
          detail,
          ...(by ? { request: by.request } : {}),
        },
        trx,
      );
      return result;
    });
  }

  async function getTarget(id: string): Promise<TargetRecord> {
    const target = await targets.findTarget(id);
    if (!target) throw new AppError('not-found');
    return target;
  }

  async function saveTarget(id: string, change: TargetChange, by: By, action: string): Promise<void> {
    if (change.kind === 'folder')
      await prepareFolder(id, change.config.path).catch((error: unknown) => {
        const problem = error instanceof BackupError ? error.code : 'unreachable';
        throw new AppError('backup.target', { problem }, { cause: error });
      });
    const secret = change.kind === 's3' ? change.secretAccessKey : undefined;
    const sealedSecret = secret === undefined ? undefined : secrets.seal(secret, id);
    const { name, kind, config } = change;
    await write(action, by, { targetId: id, name, kind, config }, (trx) =>
      targets.saveTarget({ id, name, kind, config, sealedSecret }, now(), trx),
    );
  }

  function checkPlan(change: PlanChange): void {
    if (change.schedule !== null && !isSchedule(change.schedule))
      throw new AppError('request.invalid', { fields: [{ path: '/schedule' }] });
  }

  async function startRun(
    run: SpanMs & {
      kind: 'copy' | 'restore';
      planId: string | null;
      targetId: string;
      channelIds: readonly string[] | null;
      isHeldOnly: boolean;
    },
    by: By | undefined,
    also?: (trx: Knex.Transaction) => Promise<void>,
  ): Promise<string> {
    const id = newId();
    const { kind, planId, targetId, channelIds, isHeldOnly } = run;
    const range = { fromAt: toWire(run.fromAt), toAt: toWire(run.toAt) };
    const detail = { runId: id, planId, targetId, channelIds, ...range, isHeldOnly };
    return write(`backup.${kind}-asked`, by, detail, async (trx) => {
      const payload: BackupJob = { runId: id };
      const jobId = await jobs.enqueue(backupJobKind, payload, { trx, maxAttempts: 1000 });
      await runs.insert(
        {
          id,
          ...run,
          jobId,
          requestedBy: by?.actor.userId ?? null,
          requestedByName: by?.actor.displayName ?? '计划任务',
          createdAt: now(),
        },
        trx,
      );
      await also?.(trx);
      return id;
    });
  }

  return {
    async listTargets(): Promise<TargetStatus[]> {
      const [list, totals] = await Promise.all([targets.listTargets(), copies.totals()]);
      return list.map((target) => ({
        ...target,
        ...(totals.get(target.id) ?? { copies: 0, copiedBytes: 0 }),
      }));
    },
    /**
     * @throws AppError backup.target when a folder is not there, cannot be written to or is another target's; request.invalid when storage
     * comes without its secret
     */
    async addTarget(change: TargetChange, by: By): Promise<void> {
      if (change.kind === 's3' && change.secretAccessKey === undefined)
        throw new AppError('request.invalid', { fields: [{ path: '/secretAccessKey' }] });
      await saveTarget(newId(), change, by, 'backup.target-added');
    },
    /** @throws AppError not-found, conflict when it would become one of another kind, and as addTarget */
    async changeTarget(id: string, change: TargetChange, by: By): Promise<void> {
      if ((await getTarget(id)).kind !== change.kind) throw new AppError('conflict');
      await saveTarget(id, change, by, 'backup.target-changed');
    },
    /** Forgets the target, its plans, runs and copies; the files there stay. @throws AppError not-found */
    async removeTarget(id: string, by: By): Promise<void> {
      await write('backup.target-removed', by, { targetId: id }, async (trx) => {
        if (!(await targets.removeTarget(id, trx))) throw new AppError('not-found');
      });
    },
    /** Tries the target now and keeps what was found. @returns its state; never a failure of the target */
    async checkTarget(id: string): Promise<TargetRecord['state']> {
      const record = await getTarget(id);
      let state: TargetRecord['state'] = 'ok';
      const target = options.open(record);
      try {
        await target.check(AbortSignal.timeout(checkMs));
      } catch (error) {
        state = error instanceof BackupError && isTargetProblem(error.code) ? error.code : 'slow';
      } finally {
        target.close();
      }
      await targets.setTargetState(id, state, now());
      return state;
    },

    listPlans: (): Promise<PlanRecord[]> => targets.listPlans(),
    /** @throws AppError request.invalid for a schedule that never comes, not-found */
    async addPlan(change: PlanChange, by: By): Promise<void> {
      checkPlan(change);
      await getTarget(change.targetId);
      const id = newId();
      await write('backup.plan-added', by, { planId: id, ...change }, (trx) =>
        targets.insertPlan({ id, ...change }, now(), trx),
      );
    },
    /** @throws AppError request.invalid, not-found */
    async changePlan(id: string, change: PlanChange, by: By): Promise<void> {
      checkPlan(change);
      await getTarget(change.targetId);
      await write('backup.plan-changed', by, { planId: id, ...change }, async (trx) => {
        if (!(await targets.updatePlan({ id, ...change }, now(), trx))) throw new AppError('not-found');
      });
    },
    /** What it has copied stays. @throws AppError not-found */
    async removePlan(id: string, by: By): Promise<void> {
      await write('backup.plan-removed', by, { planId: id }, async (trx) => {
        if (!(await targets.removePlan(id, trx))) throw new AppError('not-found');
      });
    },
    /**
     * Runs a plan now, from where its last good run ended when that is longer ago than the hours it names.
     * @param by undefined: the clock
     * @throws AppError not-found, conflict while a run of the plan is under way
     */
    async runPlan(id: string, by: By | undefined): Promise<string> {
      const plan = await targets.findPlan(id);
      if (!plan) throw new AppError('not-found');
      if ((await runs.listUnfinished()).some((run) => run.planId === id)) throw new AppError('conflict');
      const toAt = now();
      const wantedAt = toAt - plan.lastHours * 3_600_000;
      const fromAt = Math.max(toAt - longestRangeMs, Math.min(wantedAt, plan.copiedToAt ?? wantedAt));
      const { targetId, channelIds, isHeldOnly } = plan;
      return startRun({ kind: 'copy', planId: id, targetId, channelIds, fromAt, toAt, isHeldOnly }, by);
    },

    listRuns: (): Promise<RunRecord[]> => runs.list(),
    /** @throws AppError not-found, footage.range-invalid */
    async copy(
      ask: SpanMs & { targetId: string; channelIds: readonly string[] | null; isHeldOnly: boolean },
      by: By,
    ): Promise<string> {
      checkRange(ask, longestRangeMs);
      await getTarget(ask.targetId);
      return startRun({ kind: 'copy', planId: null, ...ask }, by);
    },
    /**
     * Brings footage that is gone here back from a target, and holds the range, or retention would take it again at once.
     * @throws AppError not-found, footage.range-invalid, footage.none when the target has nothing of it
     */
    async restore(
      ask: SpanMs & { targetId: string; channelId: string; keepDays: number; reason: string },
      by: By,
    ): Promise<string> {
      checkRange(ask, longestRangeMs);
      await getTarget(ask.targetId);
      const { targetId, channelId, fromAt, toAt, reason } = ask;
      if ((await copies.list(channelId, ask, targetId)).length === 0) throw new AppError('footage.none');
      const untilAt = now() + ask.keepDays * 86_400_000;
      const run = { kind: 'restore', planId: null, targetId, channelIds: [channelId], fromAt, toAt } as const;
      return startRun({ ...run, isHeldOnly: false }, by, async (trx) => {
        const hold = { channelId, fromAt, toAt, reason, untilAt, createdBy: by.actor.userId };
        const holdId = await own.hold(hold, trx);
        await audit.record(
          {
            action: 'footage.held',
            actor: by.actor,
            subjectType: 'channel',
            subjectId: channelId,
            detail: { holdId, fromAt: toWire(fromAt), toAt: toWire(toAt), reason, untilAt: toWire(untilAt) },
            request: by.request,
          },
          trx,
        );
      });
    },
    /** What was copied up to now stays. @throws AppError not-found, conflict when it has ended */
    async cancel(id: string, by: By): Promise<void> {
      const run = await runs.find(id);
      if (!run) throw new AppError('not-found');
      await write('backup.cancelled', by, { runId: id }, async (trx) => {
        const end = { state: 'cancelled', problem: null, at: now() } as const;
        if (!(await runs.setEnded(id, end, trx))) throw new AppError('conflict');
      });
      if (run.jobId !== null) await jobs.cancel(run.jobId);
    },

    /** Where copies of a channel's footage are. Targets without any are left out. */
    async copiesOf(channelId: string, range: SpanMs): Promise<CopiesAt[]> {
      checkRange(range, longestRangeMs);
      const found = await copies.list(channelId, range);
      const known = await own.listKnown(found.map((copy) => copy.file));
      const names = new Map((await targets.listTargets()).map((target) => [target.id, target.name]));
      return [...Map.groupBy(found, (copy) => copy.targetId)].map(([targetId, some]) => ({
        targetId,
        targetName: names.get(targetId) ?? '',
        spans: joinSpans(some.map((copy) => ({ fromAt: copy.startAt, toAt: copy.endAt }))),
        files: some.length,
        filesOnlyThere: some.filter((copy) => !known.has(copy.file)).length,
      }));
    },
  };
}
export type BackupService = ReturnType<typeof createBackupService>;

/** As on the time line: files that nearly touch are one stretch. `spans` come by start. */
function joinSpans(spans: readonly SpanMs[]): SpanMs[] {
  const joined: { fromAt: number; toAt: number }[] = [];
  for (const { fromAt, toAt } of spans) {
    const last = joined.at(-1);
    if (last && fromAt <= last.toAt + 1_500) last.toAt = Math.max(last.toAt, toAt);
    else joined.push({ fromAt, toAt });
  }
  return joined;
}
