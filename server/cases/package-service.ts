import type { Readable } from 'node:stream';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { createOnceWithin } from '#api/auth/once-within.ts';
import { toWireOrNull, toWire, type Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { By } from '#api/footage/service.ts';
import type { ClipSource } from '#api/footage/types.ts';
import type { JobService } from '#api/jobs/service.ts';
import { siteClock } from '#api/site-time.ts';
import { packageJobKind, type PackageJob, type PackageRunner } from './package-runner.ts';
import type { PackageEntry, PackageRecord, PackageStore } from './package-store.ts';
import type { Package } from './schema.ts';
import type { CaseRecord, CaseStore } from './store.ts';
import { layOutZip } from './zip-layout.ts';
import { readZip } from './zip-stream.ts';

/** Further requests of one session for one package count as the same download for this long. */
const downloadWindowMs = 600_000;

/** A package ready to be sent, whole or in ranges. */
export interface PackageDownload {
  readonly fileName: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  open(start: number, end: number): Readable;
}

/** Asking for packages, approving and taking them. */
export function createPackageService(options: {
  db: Knex;
  cases: CaseStore;
  packages: PackageStore;
  clips: ClipSource;
  runner: Pick<PackageRunner, 'pathOf'>;
  jobs: JobService;
  needsApproval: () => boolean;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, cases, packages, clips, runner, jobs, needsApproval, bus, audit, now } = options;
  const isFirst = createOnceWithin(downloadWindowMs, now);

  const isReleased = (entry: PackageRecord) =>
    entry.state === 'ready' && (!needsApproval() || entry.approvedAt !== null);

  async function getCase(caseId: string): Promise<CaseRecord> {
    const owner = await cases.find(caseId);
    if (!owner) throw new AppError('not-found');
    return owner;
  }
  async function getOf(caseId: string, packageId: string): Promise<PackageRecord> {
    const entry = await packages.find(packageId);
    if (!entry || entry.caseId !== caseId) throw new AppError('not-found');
    return entry;
  }

  function toWirePackage(entry: PackageRecord, owner: CaseRecord, userId: string): Package {
    const { id, number, state, sizeBytes, sha256, manifestSha256, error } = entry;
    return {
      id,
      number,
      state,
      progress: state === 'ready' ? 1 : state === 'running' ? entry.progress : null,
      clipCount: entry.exportIds.length,
      requestedByName: entry.requestedByName,
      requestedAt: toWire(entry.requestedAt),
      isOwn: entry.requestedBy === userId,
      approvedByName: entry.approvedByName,
      approvedAt: toWireOrNull(entry.approvedAt),
      isReleased: isReleased(entry),
      madeAt: toWireOrNull(entry.madeAt),
      fileName: packageName(owner, entry),
      sizeBytes,
      sha256,
      manifestSha256,
      error,
    };
  }

  return {
    /** Newest first. */
    async listOf(owner: CaseRecord, userId: string): Promise<Package[]> {
      return (await packages.listOf(owner.id)).map((entry) => toWirePackage(entry, owner, userId));
    },
    /** @throws AppError not-found */
    getOf,
    isReleased,

    /**
     * Freezes the case's clips as they are now and has them packed.
     * @throws AppError not-found, case.closed, package.empty
     */
    async request(caseId: string, { actor, request }: By): Promise<void> {
      const owner = await getCase(caseId);
      if (owner.state === 'closed') throw new AppError('case.closed');
      const exportIds = await cases.listClips(caseId);
      const exports = await clips.listByIds(exportIds);
      const ready = new Set(exports.filter((each) => each.state === 'ready').map((each) => each.id));
      const isUnderWay = exports.some((each) => each.state === 'queued' || each.state === 'running');
      const chosen = exportIds.filter((id) => ready.has(id)); // what failed is not in it
      if (chosen.length === 0 || isUnderWay) throw new AppError('package.empty');
      const id = newId();
      await db.transaction(async (trx) => {
        const payload: PackageJob = { packageId: id };
        const jobId = await jobs.enqueue(packageJobKind, payload, {
          trx,
          createdBy: actor.userId,
          maxAttempts: 2,
        });
        const asked = { requestedBy: actor.userId, requestedByName: actor.displayName, requestedAt: now() };
        const number = await packages.insert({ id, caseId, jobId, ...asked, exportIds: chosen }, trx);
        await audit.record(
          {
            action: 'package.requested',
            actor,
            subjectType: 'package',
            subjectId: id,
            detail: { caseId, number, exportIds: chosen },
            request,
          },
          trx,
        );
      });
      bus.emit({ name: 'case.changed', caseId });
    },

    /**
     * The second person's yes. @throws AppError not-found, package.not-ready, package.same-person, conflict when it is approved already
     */
    async approve(caseId: string, packageId: string, { actor, request }: By): Promise<void> {
      const entry = await getOf(caseId, packageId);
      if (entry.state !== 'ready') throw new AppError('package.not-ready', { state: entry.state });
      const fact = {
        action: 'package.approved',
        actor,
        subjectType: 'package',
        subjectId: packageId,
        detail: { caseId, number: entry.number, sha256: entry.sha256 },
        request,
      };
      if (entry.requestedBy === actor.userId) {
        await audit.record({ ...fact, outcome: 'denied' });
        throw new AppError('package.same-person');
      }
      await db.transaction(async (trx) => {
        const by = { id: actor.userId, name: actor.displayName, at: now() };
        if (!(await packages.setApproved(packageId, by, trx))) throw new AppError('conflict');
        await audit.record(fact, trx);
      });
      bus.emit({ name: 'case.changed', caseId });
    },

    /**
     * A package to send: the one with `number`, or the newest that may leave. The first request of a session puts a row on the trail.
     * @throws AppError not-found, package.not-ready, package.needs-approval
     */
    async download(caseId: string, number: number | undefined, by: By): Promise<PackageDownload> {
      const { actor, request } = by;
      const owner = await getCase(caseId);
      const all = await packages.listOf(caseId);
      const entry =
        number === undefined
          ? (all.find(isReleased) ?? all.find((each) => each.state === 'ready') ?? all[0])
          : all.find((each) => each.number === number);
      if (!entry) throw new AppError('not-found');
      const { entries, madeAt, sizeBytes, sha256 } = entry;
      if (entry.state !== 'ready' || !entries || madeAt === null || sizeBytes === null || sha256 === null)
        throw new AppError('package.not-ready', { state: entry.state });
      if (!isReleased(entry)) throw new AppError('package.needs-approval');
      const fileName = packageName(owner, entry);
      if (isFirst(`${actor.sessionHash} ${entry.id}`))
        await audit.record({
          action: 'package.downloaded',
          actor,
          subjectType: 'package',
          subjectId: entry.id,
          detail: { caseId, number: entry.number, fileName, sha256 },
          request,
        });
      const layout = layOutZip(entries, siteClock(madeAt, options.siteTimeZone));
      const pathOf = (index: number) => runner.pathOf(entry.id, entries[index] as PackageEntry);
      return {
        fileName,
        sha256,
        sizeBytes,
        open: (start, end) => readZip(layout, pathOf, { start, end }),
      };
    },
  };
}
export type PackageService = ReturnType<typeof createPackageService>;

function packageName(owner: CaseRecord, entry: PackageRecord): string {
  const safe = owner.number.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '');
  return `case-${safe || owner.id.slice(0, 8)}-package-${entry.number}.zip`;
}
