import type { Knex } from 'knex';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './spans.ts';

/** A stretch of a channel that retention must leave alone until somebody releases it or its end comes. */
export interface HoldRecord extends SpanMs {
  readonly id: string;
  readonly channelId: string;
  readonly reason: string;
  /** Name of who set it; the id when that person is no longer known. */
  readonly createdByName: string;
  readonly createdAt: number;
  /** When it ends by itself; null: only by hand. */
  readonly untilAt: number | null;
  readonly releasedAt: number | null;
}
interface HoldRow {
  id: string;
  channel_id: string;
  from_at: number;
  to_at: number;
  reason: string;
  created_by: string;
  created_at: number;
  until_at: number | null;
  released_at: number | null;
  display_name: string | null;
}
const toHold = (row: HoldRow): HoldRecord => ({
  id: row.id,
  channelId: row.channel_id,
  fromAt: row.from_at,
  toAt: row.to_at,
  reason: row.reason,
  createdByName: row.display_name ?? row.created_by,
  createdAt: row.created_at,
  untilAt: row.until_at,
  releasedAt: row.released_at,
});

/** Queries of footage holds. Nothing is ever deleted: a released hold stays as a record of who kept what. */
export function createHoldStore(db: Knex) {
  const all = () =>
    db('footage_holds')
      .leftJoin('users', 'users.id', 'footage_holds.created_by')
      .select('footage_holds.*', 'users.display_name');
  return {
    async insert(
      hold: { channelId: string; reason: string; createdBy: string; untilAt: number | null } & SpanMs,
      at: number,
      trx: Knex.Transaction,
    ): Promise<string> {
      const id = newId();
      await trx('footage_holds').insert({
        id,
        channel_id: hold.channelId,
        from_at: hold.fromAt,
        to_at: hold.toAt,
        reason: hold.reason,
        until_at: hold.untilAt,
        created_by: hold.createdBy,
        created_at: at,
      });
      return id;
    },
    /** @returns whether there was an unreleased hold of that id */
    async release(id: string, at: number, trx: Knex.Transaction): Promise<boolean> {
      return (
        (await trx('footage_holds').where({ id }).whereNull('released_at').update({ released_at: at })) > 0
      );
    },
    async find(id: string): Promise<HoldRecord | undefined> {
      const row: HoldRow | undefined = await all().where('footage_holds.id', id).first();
      return row && toHold(row);
    },
    /** Newest first, released ones included, at most 500. */
    async list(): Promise<HoldRecord[]> {
      const rows: HoldRow[] = await all().orderBy('footage_holds.created_at', 'desc').limit(500);
      return rows.map(toHold);
    },
    /** Holds in force at `at`, of one channel or of all. */
    async listInForce(at: number, channelId?: string): Promise<HoldRecord[]> {
      const query = all()
        .whereNull('released_at')
        .where((open) => open.whereNull('until_at').orWhere('until_at', '>', at));
      if (channelId !== undefined) query.where('channel_id', channelId);
      const rows: HoldRow[] = await query;
      return rows.map(toHold);
    },
    /** Marks the holds whose end has come as released at that end. @returns them */
    async endDue(at: number, trx: Knex.Transaction): Promise<HoldRecord[]> {
      const rows: HoldRow[] = await trx('footage_holds')
        .leftJoin('users', 'users.id', 'footage_holds.created_by')
        .select('footage_holds.*', 'users.display_name')
        .whereNull('released_at')
        .andWhere('until_at', '<=', at);
      for (const row of rows)
        await trx('footage_holds').where({ id: row.id }).update({ released_at: row.until_at });
      return rows.map((row) => toHold({ ...row, released_at: row.until_at }));
    },
  };
}
export type HoldStore = ReturnType<typeof createHoldStore>;
