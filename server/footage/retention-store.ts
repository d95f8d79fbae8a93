import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { KeepRule } from './retention.ts';

/** A class of channels that are kept equally long. */
export interface RetentionClass extends KeepRule {
  readonly id: string;
  readonly name: string;
  /** What channels belong to that were put in no class. */
  readonly isDefault: boolean;
  readonly channelIds: readonly string[];
}
interface ClassRow {
  id: string;
  name: string;
  min_days: number;
  max_days: number;
  is_default: number;
}

/** Queries of the retention classes and of which channel belongs to which. */
export function createRetentionStore(db: Knex) {
  return {
    /** The default first, then by name; each with its channels, the default one with all that belong to no other. */
    async list(): Promise<RetentionClass[]> {
      const rows: ClassRow[] = await db('retention_classes').orderBy([
        { column: 'is_default', order: 'desc' },
        { column: 'name' },
      ]);
      const members: { id: string; class_id: string | null }[] = await db('channels')
        .leftJoin('channel_retention', 'channel_retention.channel_id', 'channels.id')
        .select('channels.id', 'channel_retention.class_id')
        .orderBy('channels.id');
      return rows.map((row) => ({
        id: row.id,
        name: row.name,
        minDays: row.min_days,
        maxDays: row.max_days,
        isDefault: row.is_default === 1,
        channelIds: members
          .filter((member) => (member.class_id ?? (row.is_default === 1 ? row.id : null)) === row.id)
          .map((member) => member.id),
      }));
    },
    async insert(
      entry: KeepRule & { id: string; name: string },
      by: string,
      at: number,
      trx: Db,
    ): Promise<void> {
      await trx('retention_classes').insert({
        id: entry.id,
        name: entry.name,
        min_days: entry.minDays,
        max_days: entry.maxDays,
        updated_at: at,
        updated_by: by,
      });
    },
    /** @returns whether there was such a class */
    async update(
      entry: KeepRule & { id: string; name: string },
      by: string,
      at: number,
      trx: Db,
    ): Promise<boolean> {
      const changed = await trx('retention_classes').where({ id: entry.id }).update({
        name: entry.name,
        min_days: entry.minDays,
        max_days: entry.maxDays,
        updated_at: at,
        updated_by: by,
      });
      return changed > 0;
    },
    /** Its channels fall back to the default class, which itself stays. @returns whether it was deleted */
    async remove(id: string, trx: Db): Promise<boolean> {
      await trx('channel_retention').where({ class_id: id }).delete();
      return (await trx('retention_classes').where({ id, is_default: 0 }).delete()) > 0;
    },
    /** Puts channels into a class, out of whatever they were in. */
    async assign(classId: string, channelIds: readonly string[], trx: Db): Promise<void> {
      for (const channelId of channelIds)
        await trx('channel_retention')
          .insert({ channel_id: channelId, class_id: classId })
          .onConflict('channel_id')
          .merge();
    },
  };
}
export type RetentionStore = ReturnType<typeof createRetentionStore>;
