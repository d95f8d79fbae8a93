import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Package } from './schema.ts';
import type { ZipEntry } from './zip-layout.ts';

/** A file of a package and where its bytes lie: in the package's own folder, or among the exports. */
export interface PackageEntry extends ZipEntry {
  readonly from: 'package' | 'exports';
  readonly file: string;
  readonly sha256: string;
}

/** A package of a case. Instants are epoch ms. */
export interface PackageRecord {
  readonly id: string;
  readonly caseId: string;
  readonly number: number;
  readonly jobId: string | null;
  readonly state: Package['state'];
  /** 0..1; null while unknown. */
  readonly progress: number | null;
  readonly requestedBy: string;
  readonly requestedByName: string;
  readonly requestedAt: number;
  readonly exportIds: readonly string[];
  readonly approvedBy: string | null;
  readonly approvedByName: string | null;
  readonly approvedAt: number | null;
  /** In the order of the ZIP; null until it is ready. */
  readonly entries: readonly PackageEntry[] | null;
  readonly madeAt: number | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly manifestSha256: string | null;
  readonly error: string | null;
}
interface Row {
  id: string;
  case_id: string;
  number: number;
  job_id: string | null;
  state: Package['state'];
  progress: number | null;
  requested_by: string;
  requested_by_name: string;
  requested_at: number;
  export_ids_json: string;
  approved_by: string | null;
  approved_by_name: string | null;
  approved_at: number | null;
  entries_json: string | null;
  made_at: number | null;
  size_bytes: number | null;
  sha256: string | null;
  manifest_sha256: string | null;
  error: string | null;
}
const toPackage = (row: Row): PackageRecord => ({
  id: row.id,
  caseId: row.case_id,
  number: row.number,
  jobId: row.job_id,
  state: row.state,
  progress: row.progress,
  requestedBy: row.requested_by,
  requestedByName: row.requested_by_name,
  requestedAt: row.requested_at,
  exportIds: JSON.parse(row.export_ids_json) as string[],
  approvedBy: row.approved_by,
  approvedByName: row.approved_by_name,
  approvedAt: row.approved_at,
  entries: row.entries_json === null ? null : (JSON.parse(row.entries_json) as PackageEntry[]),
  madeAt: row.made_at,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  manifestSha256: row.manifest_sha256,
  error: row.error,
});

const unfinished = ['queued', 'running'];

/** What a finished package is. */
export interface PackageDone {
  readonly entries: readonly PackageEntry[];
  readonly madeAt: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly manifestSha256: string;
}

/** Queries of packages. */
export function createPackageStore(db: Knex) {
  const all = (trx: Db = db) =>
    trx('case_packages')
      .leftJoin('jobs', 'jobs.id', 'case_packages.job_id')
      .select('case_packages.*', 'jobs.progress as progress');
  return {
    /** Adds a package with the next number of its case. Call inside a transaction. @returns the number */
    async insert(
      entry: Pick<
        PackageRecord,
        'id' | 'caseId' | 'jobId' | 'requestedBy' | 'requestedByName' | 'requestedAt' | 'exportIds'
      >,
      trx: Knex.Transaction,
    ): Promise<number> {
      const last: { number: number } | undefined = await trx('case_packages')
        .where({ case_id: entry.caseId })
        .orderBy('number', 'desc')
        .first('number');
      const number = (last?.number ?? 0) + 1;
      await trx('case_packages').insert({
        id: entry.id,
        case_id: entry.caseId,
        number,
        job_id: entry.jobId,
        state: 'queued',
        requested_by: entry.requestedBy,
        requested_by_name: entry.requestedByName,
        requested_at: entry.requestedAt,
        export_ids_json: JSON.stringify(entry.exportIds),
      });
      return number;
    },
    async find(id: string, trx: Db = db): Promise<PackageRecord | undefined> {
      const row: Row | undefined = await all(trx).where('case_packages.id', id).first();
      return row && toPackage(row);
    },
    /** Newest first. */
    async listOf(caseId: string, trx: Db = db): Promise<PackageRecord[]> {
      const rows: Row[] = await all(trx).where('case_packages.case_id', caseId).orderBy('number', 'desc');
      return rows.map(toPackage);
    },
    async listUnfinished(): Promise<PackageRecord[]> {
      const rows: Row[] = await all().whereIn('case_packages.state', unfinished);
      return rows.map(toPackage);
    },
    async listIds(): Promise<Set<string>> {
      const rows: { id: string }[] = await db('case_packages').whereNot({ state: 'failed' }).select('id');
      return new Set(rows.map((row) => row.id));
    },
    async setRunning(id: string): Promise<void> {
      await db('case_packages').where({ id, state: 'queued' }).update({ state: 'running' });
    },
    /** @returns whether it was still unfinished */
    async setReady(id: string, done: PackageDone, trx: Db): Promise<boolean> {
      const changed = await trx('case_packages')
        .where({ id })
        .whereIn('state', unfinished)
        .update({
          state: 'ready',
          entries_json: JSON.stringify(done.entries),
          made_at: done.madeAt,
          size_bytes: done.sizeBytes,
          sha256: done.sha256,
          manifest_sha256: done.manifestSha256,
          error: null,
        });
      return changed > 0;
    },
    /** @returns whether it was still unfinished */
    async setFailed(id: string, error: string, trx: Db): Promise<boolean> {
      return (
        (await trx('case_packages')
          .where({ id })
          .whereIn('state', unfinished)
          .update({ state: 'failed', error })) > 0
      );
    },
    /** @returns whether it was ready and nobody had approved it */
    async setApproved(id: string, by: { id: string; name: string; at: number }, trx: Db): Promise<boolean> {
      const changed = await trx('case_packages')
        .where({ id, state: 'ready' })
        .whereNull('approved_at')
        .update({ approved_by: by.id, approved_by_name: by.name, approved_at: by.at });
      return changed > 0;
    },
  };
}
export type PackageStore = ReturnType<typeof createPackageStore>;
