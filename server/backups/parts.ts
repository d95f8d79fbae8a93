import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { SecretBox } from '#api/auth/secret-box.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { OwnFootageService } from '#api/footage/own-footage-service.ts';
import type { JobEnd, JobHandlers, JobService } from '#api/jobs/service.ts';
import type { Logger } from '#api/log.ts';
import { createCopyStore } from './copy-store.ts';
import { createFolderTarget } from './folder-target.ts';
import { createPlanClock, type PlanClock } from './plan-clock.ts';
import { registerBackupRoutes } from './routes.ts';
import { createBackupRunner } from './runner.ts';
import { createBackupRunStore } from './run-store.ts';
import { createS3Target } from './s3-target.ts';
import { createBackupService } from './service.ts';
import { createTargetStore, type TargetRecord } from './target-store.ts';

/** Backups, wired together. */
export interface BackupParts {
  /** For the job service, which the routes need in turn. */
  readonly handlers: JobHandlers;
  onJobEnd(end: JobEnd): Promise<void>;
  registerRoutes(app: FastifyInstance, jobs: JobService): void;
  /** Takes up unfinished runs and arms the plans. Call after the routes were registered and before jobs run. */
  start(jobs: JobService): Promise<void>;
  /** Stretches of a channel of which a sound copy lies somewhere, one for each file, by start; epoch ms. */
  listCopied(
    channelId: string,
    range: { fromAt: number; toAt: number },
  ): Promise<{ fromAt: number; toAt: number }[]>;
  close(): Promise<void>;
}

export function createBackupParts(options: {
  db: Knex;
  own: OwnFootageService;
  secrets: SecretBox;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): BackupParts {
  const { db, own, secrets, siteTimeZone, bus, audit, now, log } = options;
  const targets = createTargetStore(db);
  const runs = createBackupRunStore(db);
  const copies = createCopyStore(db);
  const open = (target: TargetRecord) =>
    target.kind === 'folder'
      ? createFolderTarget({ id: target.id, path: target.config.path })
      : createS3Target(target.config, secrets.open(target.sealedSecret, target.id));
  const runner = createBackupRunner({ db, targets, runs, copies, own, open, bus, audit, now, log });
  let clock: PlanClock | undefined;
  return {
    handlers: runner.handlers,
    async listCopied(channelId, range) {
      const found = await copies.list(channelId, range);
      return found.map(({ startAt, endAt }) => ({ fromAt: startAt, toAt: endAt }));
    },
    onJobEnd: runner.onJobEnd,
    registerRoutes(app, jobs) {
      const service = createBackupService({
        db,
        targets,
        runs,
        copies,
        own,
        secrets,
        open,
        jobs,
        audit,
        now,
      });
      clock = createPlanClock({ service, siteTimeZone, log });
      registerBackupRoutes(app, { backups: service, clock });
    },
    async start(jobs) {
      await runner.start(jobs);
      await clock?.reload();
    },
    async close() {
      clock?.close();
    },
  };
}
