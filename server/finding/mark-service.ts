import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import { checkRange, spanDetail, type By } from '#api/footage/service.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import type { BookmarkRecord, BookmarkStore } from './bookmark-store.ts';
import type { GroupStore } from './group-store.ts';
import type { CameraGroup } from './schema.ts';

const longestMs = 31 * 86_400_000;
const mostGroups = 200;

/** What people leave behind for each other: bookmarks in the footage and groups of cameras. */
export function createMarkService(options: {
  db: Knex;
  bookmarks: BookmarkStore;
  groups: GroupStore;
  channels: ChannelSource;
  audit: AuditTrail;
  now: Now;
}) {
  const { db, bookmarks, groups, channels, audit, now } = options;

  return {
    /**
     * Marks a moment (`toAt` null) or a stretch for everybody who may see footage.
     * @throws AppError not-found, footage.range-invalid
     */
    async addBookmark(
      ask: { channelId: string; fromAt: number; toAt: number | null; note: string },
      { actor, request }: By,
    ): Promise<BookmarkRecord> {
      if (ask.toAt !== null) checkRange({ fromAt: ask.fromAt, toAt: ask.toAt }, longestMs);
      await channels.get(ask.channelId);
      return db.transaction(async (trx) => {
        const made = await bookmarks.insert(
          {
            channelId: ask.channelId,
            fromAt: ask.fromAt,
            toAt: ask.toAt,
            note: ask.note.trim(),
            createdBy: actor.userId,
            createdByName: actor.displayName,
            createdAt: now(),
          },
          trx,
        );
        await audit.record(
          {
            action: 'footage.bookmarked',
            actor,
            subjectType: 'channel',
            subjectId: ask.channelId,
            detail: {
              ...spanDetail({ fromAt: made.fromAt, toAt: made.toAt ?? made.fromAt }),
              note: made.note,
            },
            request,
          },
          trx,
        );
        return made;
      });
    },

    /** Takes one's own bookmark away; an administrator any. @throws AppError not-found, auth.forbidden */
    async removeBookmark(id: string, { actor, request }: By): Promise<void> {
      await db.transaction(async (trx) => {
        const found = await bookmarks.find(id, trx);
        if (!found) throw new AppError('not-found');
        if (found.createdBy !== actor.userId && actor.role !== 'admin') throw new AppError('auth.forbidden');
        await bookmarks.remove(id, trx);
        await audit.record(
          {
            action: 'footage.bookmark-removed',
            actor,
            subjectType: 'channel',
            subjectId: found.channelId,
            detail: {
              note: found.note,
              by: found.createdByName,
              fromAt: new Date(found.fromAt).toISOString(),
            },
            request,
          },
          trx,
        );
      });
    },

    /** By name, members in the order they were given. */
    listGroups: (): Promise<CameraGroup[]> => groups.list(),

    /**
     * Keeps cameras under a name, in order; with `id` the group of that id is changed.
     * @throws AppError not-found for the group or a camera, conflict when the name is taken or there are 200 groups
     */
    async saveGroup(
      ask: { id?: string; name: string; channelIds: readonly string[] },
      { actor, request }: By,
    ): Promise<CameraGroup> {
      const name = ask.name.trim();
      for (const channelId of ask.channelIds) await channels.get(channelId);
      const id = await db.transaction(async (trx) => {
        const holder = await groups.findByName(name, trx);
        if (holder && holder.id !== ask.id) throw new AppError('conflict', { problem: 'the name is taken' });
        let groupId = ask.id;
        if (groupId === undefined) {
          if ((await groups.count(trx)) >= mostGroups)
            throw new AppError('conflict', { problem: 'too many groups', mostGroups });
          groupId = await groups.insert(name, ask.channelIds, now(), trx);
        } else {
          if (!(await groups.find(groupId, trx))) throw new AppError('not-found');
          await groups.change(groupId, name, ask.channelIds, now(), trx);
        }
        await audit.record(
          {
            action: 'camera-group.saved',
            actor,
            subjectType: 'camera-group',
            subjectId: groupId,
            detail: { name, cameras: ask.channelIds.length },
            request,
          },
          trx,
        );
        return groupId;
      });
      return { id, name, channelIds: [...ask.channelIds] };
    },

    /** @throws AppError not-found */
    async removeGroup(id: string, { actor, request }: By): Promise<void> {
      await db.transaction(async (trx) => {
        const found = await groups.find(id, trx);
        if (!found) throw new AppError('not-found');
        await groups.remove(id, trx);
        await audit.record(
          {
            action: 'camera-group.removed',
            actor,
            subjectType: 'camera-group',
            subjectId: id,
            detail: { name: found.name },
            request,
          },
          trx,
        );
      });
    },
  };
}
export type MarkService = ReturnType<typeof createMarkService>;
