import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { AuditEntry } from '#api/auth/schema.ts';
import { fromWire, toWire, toWireOrNull, type Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { ExportService } from '#api/footage/export-service.ts';
import type { By } from '#api/footage/service.ts';
import type { ClipSource } from '#api/footage/types.ts';
import { siteDay } from '#api/site-time.ts';
import type { PackageService } from './package-service.ts';
import type { PackageStore } from './package-store.ts';
import type { Case, CaseChange, CaseSummary, NewCase, NewCaseClip, NewHandover } from './schema.ts';
import type { CaseRecord, CaseStore } from './store.ts';

const longestHistory = 2_000;

/** Cases: who wants footage and why, what is given, and every act around it on the trail. */
export function createCaseService(options: {
  db: Knex;
  store: CaseStore;
  packageStore: PackageStore;
  packages: PackageService;
  exports: ExportService;
  clips: ClipSource;
  needsApproval: () => boolean;
  siteTimeZone: string;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, store, packageStore, packages, exports, clips, bus, audit, now } = options;

  async function getRecord(id: string): Promise<CaseRecord> {
    const entry = await store.find(id);
    if (!entry) throw new AppError('not-found');
    return entry;
  }
  async function getOpen(id: string): Promise<CaseRecord> {
    const entry = await getRecord(id);
    if (entry.state === 'closed') throw new AppError('case.closed');
    return entry;
  }

  async function toWireCase(entry: CaseRecord, userId: string): Promise<Case> {
    const [found, made, handovers] = await Promise.all([
      store.listClips(entry.id).then((ids) => clips.listForApi(ids)),
      packages.listOf(entry, userId),
      store.listHandovers(entry.id),
    ]);
    const { legalBasis, reason, authoriser, notes } = entry;
    return {
      ...toWireSummary(entry),
      legalBasis,
      reason,
      authoriser,
      notes,
      clips: found,
      packages: made,
      handovers: handovers.map((each) => ({ ...each, handedAt: toWire(each.handedAt) })),
      needsApproval: options.needsApproval(),
    };
  }

  return {
    /** Newest first. */
    list: async (): Promise<CaseSummary[]> => (await store.list()).map(toWireSummary),
    /** @throws AppError not-found */
    get: async (id: string, { actor }: By): Promise<Case> => toWireCase(await getRecord(id), actor.userId),

    /** @throws AppError case.number-taken */
    async create(ask: NewCase, { actor, request }: By): Promise<Case> {
      const id = newId();
      const at = now();
      await db.transaction(async (trx) => {
        const number =
          ask.number ?? (await store.nextNumber(siteDay(at, options.siteTimeZone).slice(0, 4), trx));
        if (await store.hasNumber(number, trx)) throw new AppError('case.number-taken');
        const facts = { ...ask, number, notes: ask.notes ?? '' };
        const by = { createdBy: actor.userId, createdByName: actor.displayName, createdAt: at };
        await store.insert({ ...facts, id, ...by }, trx);
        await audit.record(
          { action: 'case.created', actor, subjectType: 'case', subjectId: id, detail: facts, request },
          trx,
        );
      });
      bus.emit({ name: 'case.changed', caseId: id });
      return toWireCase(await getRecord(id), actor.userId);
    },

    /** Changes facts, closes or opens again. @throws AppError not-found, conflict.version, case.closed */
    async change(id: string, change: CaseChange, { actor, request }: By): Promise<Case> {
      const before = await getRecord(id);
      if (before.state === 'closed' && change.state !== 'open') throw new AppError('case.closed');
      const keys = Object.keys(change).filter((key) => key !== 'version') as (keyof CaseRecord)[];
      const to = change as Partial<Record<keyof CaseRecord, unknown>>;
      const detail = Object.fromEntries(keys.map((key) => [key, { from: before[key], to: to[key] }]));
      await db.transaction(async (trx) => {
        if (!(await store.change(id, change, now(), trx))) throw new AppError('conflict.version');
        await audit.record(
          { action: 'case.changed', actor, subjectType: 'case', subjectId: id, detail, request },
          trx,
        );
      });
      bus.emit({ name: 'case.changed', caseId: id });
      return toWireCase(await getRecord(id), actor.userId);
    },

    /**
     * Exports a clip or still for the case; its reason is the case's.
     * @throws AppError not-found, case.closed, footage.none, footage.range-invalid, export.limit
     */
    async addClip(id: string, ask: NewCaseClip, by: By): Promise<void> {
      const entry = await getOpen(id);
      const { channelId, mode, hidden = [] } = ask;
      const fromAt = fromWire(ask.fromAt);
      const toAt = mode === 'still' ? fromAt + 1 : fromWire(ask.toAt);
      const { actor, request } = by;
      await exports.request(
        { channelId, mode, hidden, fromAt, toAt, reason: entry.reason, caseNumber: entry.number },
        by,
        async (exportId, trx) => {
          await store.addClip({ caseId: id, exportId, byName: actor.displayName, at: now() }, trx);
          await audit.record(
            {
              action: 'case.clip-added',
              actor,
              subjectType: 'case',
              subjectId: id,
              detail: { exportId, channelId, mode },
              request,
            },
            trx,
          );
        },
      );
      bus.emit({ name: 'case.changed', caseId: id });
    },

    /**
     * Takes a clip out of the case; the export itself stays. @throws AppError not-found, case.closed, case.clip-packaged
     */
    async removeClip(id: string, exportId: string, { actor, request }: By): Promise<void> {
      await getOpen(id);
      const made = await packageStore.listOf(id);
      if (made.some((each) => each.state !== 'failed' && each.exportIds.includes(exportId)))
        throw new AppError('case.clip-packaged');
      await db.transaction(async (trx) => {
        if (!(await store.removeClip(id, exportId, trx))) throw new AppError('not-found');
        await audit.record(
          {
            action: 'case.clip-removed',
            actor,
            subjectType: 'case',
            subjectId: id,
            detail: { exportId },
            request,
          },
          trx,
        );
      });
      bus.emit({ name: 'case.changed', caseId: id });
    },

    /**
     * Notes that a package was handed over, with its hash as it then was.
     * @throws AppError not-found, package.not-ready, package.needs-approval
     */
    async handOver(id: string, ask: NewHandover, { actor, request }: By): Promise<void> {
      await getRecord(id);
      const made = await packages.getOf(id, ask.packageId);
      if (made.state !== 'ready' || made.sha256 === null)
        throw new AppError('package.not-ready', { state: made.state });
      if (!packages.isReleased(made)) throw new AppError('package.needs-approval');
      const fact = {
        ...ask,
        notes: ask.notes ?? '',
        handedByName: actor.displayName,
        handedAt: now(),
        packageSha256: made.sha256,
      };
      await db.transaction(async (trx) => {
        await store.addHandover({ ...fact, id: newId(), caseId: id, handedBy: actor.userId }, trx);
        await audit.record(
          {
            action: 'case.handed-over',
            actor,
            subjectType: 'case',
            subjectId: id,
            detail: { ...fact, handedAt: toWire(fact.handedAt), packageNumber: made.number },
            request,
          },
          trx,
        );
      });
      bus.emit({ name: 'case.changed', caseId: id });
    },

    /** Every act on the case, its clips and packages, oldest first, at most 2,000. @throws AppError not-found */
    async history(id: string): Promise<AuditEntry[]> {
      await getRecord(id);
      const [clipIds, made] = await Promise.all([store.listClips(id), packageStore.listOf(id)]);
      const exportIds = new Set([...clipIds, ...made.flatMap((each) => each.exportIds)]);
      return audit.listAbout([id, ...exportIds, ...made.map((each) => each.id)], longestHistory);
    },
  };
}
export type CaseService = ReturnType<typeof createCaseService>;

function toWireSummary(entry: CaseRecord): CaseSummary {
  const { id, number, title, requester, organisation, state, clipCount, createdByName, version } = entry;
  return {
    id,
    number,
    title,
    requester,
    organisation,
    state,
    clipCount,
    createdByName,
    createdAt: toWire(entry.createdAt),
    updatedAt: toWire(entry.updatedAt),
    closedAt: toWireOrNull(entry.closedAt),
    version,
  };
}
