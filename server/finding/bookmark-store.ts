import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './types.ts';

/** A moment (`toAt` null) or stretch that somebody marked with a note. Everybody who may see footage sees it. */
export interface BookmarkRecord {
  readonly id: string;
  readonly channelId: string;
  readonly fromAt: number;
  readonly toAt: number | null;
  readonly note: string;
  readonly createdBy: string;
  readonly createdByName: string;
  readonly createdAt: number;
}
interface Row {
  id: string;
  channel_id: string;
  from_at: number;
  to_at: number | null;
  note: string;
  created_by: string;
  created_by_name: string;
  created_at: number;
}
const toBookmark = (row: Row): BookmarkRecord => ({
  id: row.id,
  channelId: row.channel_id,
  fromAt: row.from_at,
  toAt: row.to_at,
  note: row.note,
  createdBy: row.created_by,
  createdByName: row.created_by_name,
  createdAt: row.created_at,
});

/** Queries of bookmarks. */
export function createBookmarkStore(db: Knex) {
  return {
    async insert(bookmark: Omit<BookmarkRecord, 'id'>, trx: Db): Promise<BookmarkRecord> {
      const id = newId();
      await trx('bookmarks').insert({
        id,
        channel_id: bookmark.channelId,
        from_at: bookmark.fromAt,
        to_at: bookmark.toAt,
        note: bookmark.note,
        created_by: bookmark.createdBy,
        created_by_name: bookmark.createdByName,
        created_at: bookmark.createdAt,
      });
      return { ...bookmark, id };
    },
    async find(id: string, trx: Db = db): Promise<BookmarkRecord | undefined> {
      const row: Row | undefined = await trx('bookmarks').where({ id }).first();
      return row && toBookmark(row);
    },
    async remove(id: string, trx: Db): Promise<void> {
      await trx('bookmarks').where({ id }).delete();
    },
    /** Those that touch `range`, newest first. */
    async list(channelIds: readonly string[], range: SpanMs, limit: number): Promise<BookmarkRecord[]> {
      const rows: Row[] = await db('bookmarks')
        .whereIn('channel_id', [...channelIds])
        .andWhere('from_at', '<', range.toAt)
        .andWhere((ends) => ends.where('from_at', '>=', range.fromAt).orWhere('to_at', '>', range.fromAt))
        .orderBy('from_at', 'desc')
        .limit(limit);
      return rows.map(toBookmark);
    },
  };
}
export type BookmarkStore = ReturnType<typeof createBookmarkStore>;
