import type { Knex } from 'knex';
import { lockByName, type Db } from '#api/db/database.ts';
import type { CaseChange, NewCase } from './schema.ts';

/** A case. Instants are epoch ms. */
export interface CaseRecord {
  readonly id: string;
  readonly number: string;
  readonly title: string;
  readonly requester: string;
  readonly organisation: string;
  readonly legalBasis: string;
  readonly reason: string;
  readonly authoriser: string;
  readonly notes: string;
  readonly state: 'open' | 'closed';
  readonly version: number;
  readonly clipCount: number;
  readonly createdByName: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly closedAt: number | null;
}

export interface HandoverRecord {
  readonly id: string;
  readonly packageId: string;
  readonly packageNumber: number;
  readonly receivedBy: string;
  readonly organisation: string;
  readonly idShown: string;
  readonly medium: string;
  readonly notes: string;
  readonly handedByName: string;
  readonly handedAt: number;
  readonly packageSha256: string;
}

interface CaseRow {
  id: string;
  number: string;
  title: string;
  requester: string;
  organisation: string;
  legal_basis: string;
  reason: string;
  authoriser: string;
  notes: string;
  state: CaseRecord['state'];
  version: number;
  clip_count: number | string;
  created_by_name: string;
  created_at: number;
  updated_at: number;
  closed_at: number | null;
}
const toCase = (row: CaseRow): CaseRecord => ({
  id: row.id,
  number: row.number,
  title: row.title,
  requester: row.requester,
  organisation: row.organisation,
  legalBasis: row.legal_basis,
  reason: row.reason,
  authoriser: row.authoriser,
  notes: row.notes,
  state: row.state,
  version: row.version,
  clipCount: Number(row.clip_count),
  createdByName: row.created_by_name,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  closedAt: row.closed_at,
});

const columns = {
  title: 'title',
  requester: 'requester',
  organisation: 'organisation',
  legalBasis: 'legal_basis',
  reason: 'reason',
  authoriser: 'authoriser',
  notes: 'notes',
  state: 'state',
} as const;

/** Queries of cases, their clips and hand-overs. */
export function createCaseStore(db: Knex) {
  const all = (trx: Db = db) =>
    trx('cases').select(
      'cases.*',
      trx('case_clips').count('*').whereRaw('case_clips.case_id = cases.id').as('clip_count'),
    );
  return {
    /** The next free number of `year` (in the site zone), as `2026-0007`. Call inside a transaction. */
    async nextNumber(year: string, trx: Knex.Transaction): Promise<string> {
      await lockByName(trx, 'case-number');
      const rows: { number: string }[] = await trx('cases')
        .where('number', 'like', `${year}-%`)
        .select('number');
      // Given numbers may begin alike; only those of our own form count.
      const counts = rows.map(({ number }) => Number(/^\d{4}-(\d{4,6})$/.exec(number)?.[1] ?? 0));
      const next = counts.reduce((most, count) => Math.max(most, count), 0) + 1;
      return `${year}-${String(next).padStart(4, '0')}`;
    },
    async hasNumber(number: string, trx: Db): Promise<boolean> {
      return (await trx('cases').where({ number }).first('id')) !== undefined;
    },
    async insert(
      entry: Required<NewCase> & { id: string; createdBy: string; createdByName: string; createdAt: number },
      trx: Db,
    ): Promise<void> {
      await trx('cases').insert({
        id: entry.id,
        number: entry.number,
        title: entry.title,
        requester: entry.requester,
        organisation: entry.organisation,
        legal_basis: entry.legalBasis,
        reason: entry.reason,
        authoriser: entry.authoriser,
        notes: entry.notes,
        state: 'open',
        created_by: entry.createdBy,
        created_by_name: entry.createdByName,
        created_at: entry.createdAt,
        updated_at: entry.createdAt,
      });
    },
    async find(id: string, trx: Db = db): Promise<CaseRecord | undefined> {
      const row: CaseRow | undefined = await all(trx).where('cases.id', id).first();
      return row && toCase(row);
    },
    /** Newest first, at most 500. */
    async list(): Promise<CaseRecord[]> {
      const rows: CaseRow[] = await all().orderBy('cases.created_at', 'desc').limit(500);
      return rows.map(toCase);
    },
    /** Changes what is given if the case still has that version. @returns whether it had */
    async change(id: string, { version, ...change }: CaseChange, at: number, trx: Db): Promise<boolean> {
      const changed = Object.entries(change).map(([key, value]) => [
        columns[key as keyof typeof columns],
        value,
      ]);
      const closed = change.state === undefined ? {} : { closed_at: change.state === 'closed' ? at : null };
      const count = await trx('cases')
        .where({ id, version })
        .update({ ...Object.fromEntries(changed), ...closed, version: version + 1, updated_at: at });
      return count === 1;
    },

    async addClip(
      clip: { caseId: string; exportId: string; byName: string; at: number },
      trx: Db,
    ): Promise<void> {
      await trx('case_clips').insert({
        export_id: clip.exportId,
        case_id: clip.caseId,
        added_by_name: clip.byName,
        added_at: clip.at,
      });
      await trx('cases').where({ id: clip.caseId }).update({ updated_at: clip.at });
    },
    async removeClip(caseId: string, exportId: string, trx: Db): Promise<boolean> {
      return (await trx('case_clips').where({ case_id: caseId, export_id: exportId }).delete()) > 0;
    },
    /** Ids of the exports, in the order they were added. */
    async listClips(caseId: string, trx: Db = db): Promise<string[]> {
      const rows: { export_id: string }[] = await trx('case_clips')
        .where({ case_id: caseId })
        .orderBy(['added_at', 'export_id'])
        .select('export_id');
      return rows.map((row) => row.export_id);
    },
    /** The case an export belongs to. */
    async findCaseOf(exportId: string, trx: Db = db): Promise<string | undefined> {
      const row: { case_id: string } | undefined = await trx('case_clips')
        .where({ export_id: exportId })
        .first('case_id');
      return row?.case_id;
    },

    async addHandover(
      entry: Omit<HandoverRecord, 'packageNumber'> & { caseId: string; handedBy: string },
      trx: Db,
    ): Promise<void> {
      await trx('case_handovers').insert({
        id: entry.id,
        case_id: entry.caseId,
        package_id: entry.packageId,
        received_by: entry.receivedBy,
        organisation: entry.organisation,
        id_shown: entry.idShown,
        medium: entry.medium,
        notes: entry.notes,
        handed_by: entry.handedBy,
        handed_by_name: entry.handedByName,
        handed_at: entry.handedAt,
        package_sha256: entry.packageSha256,
      });
    },
    /** Newest first. */
    async listHandovers(caseId: string): Promise<HandoverRecord[]> {
      const rows = await db('case_handovers')
        .join('case_packages', 'case_packages.id', 'case_handovers.package_id')
        .where('case_handovers.case_id', caseId)
        .orderBy('handed_at', 'desc')
        .select('case_handovers.*', 'case_packages.number as package_number');
      return rows.map((row) => ({
        id: row.id,
        packageId: row.package_id,
        packageNumber: row.package_number,
        receivedBy: row.received_by,
        organisation: row.organisation,
        idShown: row.id_shown,
        medium: row.medium,
        notes: row.notes,
        handedByName: row.handed_by_name,
        handedAt: row.handed_at,
        packageSha256: row.package_sha256,
      }));
    },
  };
}
export type CaseStore = ReturnType<typeof createCaseStore>;
