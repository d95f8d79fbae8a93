import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Knex } from 'knex';
import { fromWire, toWire, type Now } from '#api/clock.ts';
import { lockByName, type Db } from '#api/db/database.ts';
import type { Principal } from '#api/http/guard.ts';
import type { AuditEntry, AuditPage, AuditQuery } from './schema.ts';

/** One thing a person or the system did. `detail` is JSON-safe and never holds a secret. */
export interface AuditFact {
  readonly action: string; // capability.verb-past, as export.requested
  readonly actor:
    Pick<Principal, 'userId' | 'displayName'> | { readonly system: string } | { readonly visitor: string };
  readonly subjectType?: string;
  readonly subjectId?: string;
  readonly outcome?: AuditEntry['outcome'];
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly request?: Pick<FastifyRequest, 'ip' | 'id'>;
}

export interface AuditRow {
  seq: number;
  at: number;
  actor_id: string | null;
  actor_name: string;
  action: string;
  subject_type: string | null;
  subject_id: string | null;
  outcome: AuditEntry['outcome'];
  detail_json: string;
  ip: string | null;
  request_id: string | null;
  prev_hash: string;
  hash: string;
}

/** What stands before the first row. */
export const genesisHash = '0'.repeat(64);
const pageRows = 1000;
const defaultLimit = 100;

/** SHA-256 (hex) over every field of `row` but `hash`, in this fixed order, as one JSON array. */
export function hashOf(row: Omit<AuditRow, 'hash'>): string {
  const fields = [
    row.prev_hash,
    row.seq,
    row.at,
    row.actor_id,
    row.actor_name,
    row.action,
    row.subject_type,
    row.subject_id,
    row.outcome,
    row.detail_json,
    row.ip,
    row.request_id,
  ];
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

/** What a walk along the chain found. `checked` counts the good rows before the first bad one. */
export interface ChainCheck {
  readonly isIntact: boolean;
  readonly checked: number;
  readonly firstBadSeq: number | null;
  readonly problem: 'row-missing' | 'row-misplaced' | 'row-changed' | null;
  /** Hash of the last good row: whoever notes it can later tell whether the end of the chain was cut off. */
  readonly lastHash: string;
}

export interface AuditTrail {
  /** Appends one row, in the caller's transaction if one is handed in. Resolves once it is written. */
  record(fact: AuditFact, trx?: Db): Promise<void>;
  /**
   * Walks the whole chain in pages. Finds a changed, removed or inserted row; a chain cut off at its end can only be seen by whoever
   * noted an earlier last hash, which is why the hash is shown in the console.
   */
  verify(): Promise<ChainCheck>;
  /** Every row about one of `subjectIds`, oldest first, at most `limit`: the life of a thing and of all that belongs to it. */
  listAbout(subjectIds: readonly string[], limit: number): Promise<AuditEntry[]>;
  /** When `actorId` did `action`, from `fromAt` on (epoch ms); in no order. */
  listInstants(query: { action: string; actorId: string; fromAt: number }): Promise<number[]>;
  /** The newest rows first, at most `limit` (100 unless told), those before `beforeSeq` if given. `actor` is part of a name, or an id. */
  list(query: AuditQuery): Promise<AuditPage>;
}

/** The append-only trail: each row carries the hash of the one before. The database refuses updates and deletes by trigger. */
export function createAuditTrail({ db, now }: { db: Knex; now: Now }): AuditTrail {
  async function append(fact: AuditFact, trx: Db): Promise<void> {
    await lockByName(trx, 'audit-chain');
    const last: Pick<AuditRow, 'seq' | 'hash'> | undefined = await trx('audit_entries')
      .select('seq', 'hash')
      .orderBy('seq', 'desc')
      .first();
    const { actor } = fact;
    const unhashed = {
      seq: (last?.seq ?? 0) + 1,
      at: now(),
      actor_id: 'userId' in actor ? actor.userId : null,
      actor_name: 'userId' in actor ? actor.displayName : 'system' in actor ? actor.system : actor.visitor,
      action: fact.action,
      subject_type: fact.subjectType ?? null,
      subject_id: fact.subjectId ?? null,
      outcome: fact.outcome ?? ('ok' as const),
      detail_json: JSON.stringify(fact.detail ?? {}),
      ip: fact.request?.ip ?? null,
      request_id: fact.request?.id ?? null,
      prev_hash: last?.hash ?? genesisHash,
    };
    await trx('audit_entries').insert({ ...unhashed, hash: hashOf(unhashed) });
  }

  return {
    record: (fact, trx) => (trx ? append(fact, trx) : db.transaction((own) => append(fact, own))),

    async list({ beforeSeq, limit = defaultLimit, action, actor, subjectId, from, to }) {
      const query = db<AuditRow>('audit_entries')
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      if (beforeSeq !== undefined) query.where('seq', '<', beforeSeq);
      if (action !== undefined) query.where('action', action);
      if (subjectId !== undefined) query.where('subject_id', subjectId);
      if (from !== undefined) query.where('at', '>=', fromWire(from));
      if (to !== undefined) query.where('at', '<', fromWire(to));
      if (actor !== undefined) {
        const part = `%${actor.toLowerCase().replace(/[\\%_]/g, String.raw`\$&`)}%`;
        query.where((either) =>
          either.where('actor_id', actor).orWhereRaw(String.raw`lower(actor_name) LIKE ? ESCAPE '\'`, [part]),
        );
      }
      const rows: AuditRow[] = await query;
      const page = rows.slice(0, limit);
      return {
        entries: page.map(toAuditEntry),
        nextBeforeSeq: rows.length > limit ? (page.at(-1)?.seq ?? null) : null,
      };
    },

    async listAbout(subjectIds, limit) {
      const rows: AuditRow[] = await db<AuditRow>('audit_entries')
        .whereIn('subject_id', [...subjectIds])
        .orderBy('seq')
        .limit(limit);
      return rows.map(toAuditEntry);
    },

    async listInstants({ action, actorId, fromAt }) {
      const rows = await db<AuditRow>('audit_entries')
        .where({ action, actor_id: actorId })
        .where('at', '>=', fromAt)
        .select('at');
      return rows.map((row) => row.at);
    },

    async verify() {
      let prevHash = genesisHash;
      let seq = 0;
      const bad = (problem: ChainCheck['problem']): ChainCheck => ({
        isIntact: false,
        checked: seq,
        firstBadSeq: seq + 1,
        problem,
        lastHash: prevHash,
      });
      for (;;) {
        const query = db<AuditRow>('audit_entries').orderBy('seq').limit(pageRows);
        if (seq > 0) query.where('seq', '>', seq); // the first page has no lower end: a row put before number 1 shows too
        const rows: AuditRow[] = await query;
        for (const row of rows) {
          if (row.seq !== seq + 1) return bad('row-missing');
          if (row.prev_hash !== prevHash) return bad('row-misplaced');
          const { hash, ...rest } = row;
          if (hashOf(rest) !== hash) return bad('row-changed');
          prevHash = hash;
          seq = row.seq;
        }
        if (rows.length < pageRows)
          return { isIntact: true, checked: seq, firstBadSeq: null, problem: null, lastHash: prevHash };
      }
    },
  };
}

/** A row in the form the API gives it. */
export function toAuditEntry(row: AuditRow): AuditEntry {
  return {
    seq: row.seq,
    at: toWire(row.at),
    actorId: row.actor_id,
    actorName: row.actor_name,
    action: row.action,
    subjectType: row.subject_type,
    subjectId: row.subject_id,
    outcome: row.outcome,
    detail: JSON.parse(row.detail_json) as Record<string, unknown>,
    ip: row.ip,
    requestId: row.request_id,
    hash: row.hash,
  };
}
