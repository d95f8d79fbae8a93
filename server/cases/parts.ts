import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { ExportService } from '#api/footage/export-service.ts';
import type { ClipSource, ExportGuard } from '#api/footage/types.ts';
import type { JobEnd, JobHandlers, JobService } from '#api/jobs/service.ts';
import type { Logger } from '#api/log.ts';
import type { SettingsService } from '#api/settings/service.ts';
import { unknownCamera, type CameraIdentity } from './manifest.ts';
import { createPackageRunner } from './package-runner.ts';
import { createPackageService } from './package-service.ts';
import { createPackageStore } from './package-store.ts';
import { registerCaseRoutes } from './routes.ts';
import { createCaseService } from './service.ts';
import { loadOrMakeSigningKey } from './signing-key.ts';
import { createCaseStore } from './store.ts';

export { packageJobKind } from './package-runner.ts';

export interface CaseOptions {
  readonly db: Knex;
  readonly bus: EventBus;
  readonly audit: AuditTrail;
  readonly settings: SettingsService;
  readonly clips: ClipSource;
  /** Undefined: the register does not know the channel. */
  readonly findCamera: (channelId: string) => CameraIdentity | undefined;
  readonly printPdf: (html: string) => Promise<Buffer>;
  readonly keysDir: string;
  readonly exportsDir: string;
  readonly siteTimeZone: string;
  /** Name and version of this program, for the manifest. */
  readonly software: string;
  readonly now: Now;
  readonly log: Logger;
}

/** Cases, packages and the key that signs them, wired together. */
export interface CaseParts {
  readonly guard: ExportGuard;
  readonly handlers: JobHandlers;
  onJobEnd(end: JobEnd): Promise<void>;
  registerRoutes(app: FastifyInstance, services: { jobs: JobService; exports: ExportService }): void;
  /** Puts packages in order that a dead server left unfinished. Call before jobs run. */
  start(jobs: JobService): Promise<void>;
}

/** @throws Error when the signing key cannot be read or made */
export function createCaseParts(options: CaseOptions): CaseParts {
  const { db, bus, audit, settings, clips, siteTimeZone, now } = options;
  const store = createCaseStore(db);
  const packageStore = createPackageStore(db);
  const key = loadOrMakeSigningKey(options.keysDir);
  const needsApproval = () => settings.current().evidence.isTwoPersonRuleOn;
  const runner = createPackageRunner({
    ...options,
    cases: store,
    packages: packageStore,
    key,
    cameraOf: (channelId) => options.findCamera(channelId) ?? unknownCamera,
    siteName: () => settings.current().site.hospitalName,
  });

  return {
    guard: {
      mayDelete: async (exportId) => (await store.findCaseOf(exportId)) === undefined,
      async mayDownload(exportId) {
        if (!needsApproval()) return true;
        const caseId = await store.findCaseOf(exportId);
        if (caseId === undefined) return false;
        const made = await packageStore.listOf(caseId);
        return made.some((each) => each.approvedAt !== null && each.exportIds.includes(exportId));
      },
    },
    handlers: runner.handlers,
    onJobEnd: runner.onJobEnd,
    registerRoutes(app, { jobs, exports }) {
      const common = { db, clips, needsApproval, siteTimeZone, bus, audit, now };
      const packages = createPackageService({
        ...common,
        cases: store,
        packages: packageStore,
        runner,
        jobs,
      });
      const cases = createCaseService({ ...common, store, packageStore, packages, exports });
      const { fingerprint, publicKey } = key;
      registerCaseRoutes(app, { cases, packages, key: { fingerprint, publicKey } });
    },
    start: (jobs) => runner.tidy(jobs.find),
  };
}
