import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { LearnedDevice } from './learned-device.ts';
import type { Finding } from './schema.ts';

/** A finding as stored. `key`: `epr:<endpoint reference>`, else `at:<host:port>`. Instants are epoch ms. */
export interface FindingRecord {
  readonly id: string;
  readonly key: string;
  readonly endpointReference: string | null;
  readonly source: Finding['source'];
  readonly host: string;
  readonly xaddr: string;
  readonly name: string | null;
  readonly hardware: string | null;
  readonly location: string | null;
  readonly outcome: Finding['outcome'];
  readonly reason: string | null;
  readonly learned: LearnedDevice | null;
  readonly deviceId: string | null;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
}

interface FindingRow {
  id: string;
  key: string;
  endpoint_reference: string | null;
  source: Finding['source'];
  host: string;
  xaddr: string;
  name: string | null;
  hardware: string | null;
  location: string | null;
  outcome: Finding['outcome'];
  reason: string | null;
  facts_json: string | null;
  device_id: string | null;
  first_seen_at: number;
  last_seen_at: number;
}

const toRow = (finding: Omit<FindingRecord, 'id'>): Omit<FindingRow, 'id'> => ({
  key: finding.key,
  endpoint_reference: finding.endpointReference,
  source: finding.source,
  host: finding.host,
  xaddr: finding.xaddr,
  name: finding.name,
  hardware: finding.hardware,
  location: finding.location,
  outcome: finding.outcome,
  reason: finding.reason,
  facts_json: finding.learned && JSON.stringify(finding.learned),
  device_id: finding.deviceId,
  first_seen_at: finding.firstSeenAt,
  last_seen_at: finding.lastSeenAt,
});

const toRecord = (row: FindingRow): FindingRecord => ({
  id: row.id,
  key: row.key,
  endpointReference: row.endpoint_reference,
  source: row.source,
  host: row.host,
  xaddr: row.xaddr,
  name: row.name,
  hardware: row.hardware,
  location: row.location,
  outcome: row.outcome,
  reason: row.reason,
  learned: row.facts_json === null ? null : (JSON.parse(row.facts_json) as LearnedDevice),
  deviceId: row.device_id,
  firstSeenAt: row.first_seen_at,
  lastSeenAt: row.last_seen_at,
});

/** Queries of findings. Lists come by first sight. */
export function createFindingStore(db: Knex) {
  const one = async (query: Knex.QueryBuilder): Promise<FindingRecord | undefined> => {
    const row: FindingRow | undefined = await query.first();
    return row && toRecord(row);
  };
  return {
    async list(trx: Db = db): Promise<FindingRecord[]> {
      const rows: FindingRow[] = await trx('discovery_findings').orderBy(['first_seen_at', 'host', 'id']);
      return rows.map(toRecord);
    },
    find: (id: string, trx: Db = db) => one(trx('discovery_findings').where({ id })),
    findByKey: (key: string, trx: Db = db) => one(trx('discovery_findings').where({ key })),
    async listByHost(host: string, trx: Db = db): Promise<FindingRecord[]> {
      const rows: FindingRow[] = await trx('discovery_findings').where({ host }).orderBy('first_seen_at');
      return rows.map(toRecord);
    },
    async insert(finding: FindingRecord, trx: Db = db): Promise<void> {
      await trx('discovery_findings').insert({ id: finding.id, ...toRow(finding) });
    },
    async update(finding: FindingRecord, trx: Db = db): Promise<void> {
      await trx('discovery_findings').where({ id: finding.id }).update(toRow(finding));
    },
    /** @returns whether there was one */
    async remove(id: string, trx: Db = db): Promise<boolean> {
      return (await trx('discovery_findings').where({ id }).delete()) > 0;
    },
    /** Nobody is being asked right after a start. */
    async resetAsking(trx: Db = db): Promise<void> {
      await trx('discovery_findings').where({ outcome: 'asking' }).update({ outcome: 'new', reason: null });
    },
    /** Drops what was not seen since `before` and was never taken in. */
    async prune(before: number, trx: Db = db): Promise<void> {
      await trx('discovery_findings').whereNull('device_id').andWhere('last_seen_at', '<', before).delete();
    },
  };
}
export type FindingStore = ReturnType<typeof createFindingStore>;
