import { checkRange } from '#api/footage/service.ts';
import type { BookmarkStore } from './bookmark-store.ts';
import type { EventStore } from './event-store.ts';
import type { EventKind } from './schema.ts';
import type { SpanMs } from './types.ts';

const longestMs = 31 * 86_400_000 + 3_600_000;
/** Of each kind of source; more than this is no list any more. */
const mostOfEach = 500;

/** Something that happened at a camera, wherever it is known from. Instants are epoch ms. */
export interface Happening {
  readonly id: string;
  readonly channelId: string;
  readonly kind: EventKind;
  readonly fromAt: number;
  /** null: goes on, or its end is not known. */
  readonly toAt: number | null;
  readonly text: string;
  readonly byName: string | null;
  /** Who made it, for bookmarks. */
  readonly byId: string | null;
}

/** Faults and tickets that touch a range, as their own services tell them: newest first, at most `limit`. */
export interface OtherHappenings {
  listFaults(
    channelIds: readonly string[],
    range: SpanMs,
    limit: number,
  ): Promise<
    readonly { id: string; channelId: string; reason: string; openedAt: number; recoveredAt: number | null }[]
  >;
  listTickets(
    channelIds: readonly string[],
    range: SpanMs,
    limit: number,
  ): Promise<readonly { id: string; channelId: string; title: string; createdAt: number }[]>;
}

/** Puts together what is known to have happened at cameras. */
export function createHappeningService(options: {
  bookmarks: BookmarkStore;
  events: EventStore;
  others: OtherHappenings;
}) {
  const { bookmarks, events, others } = options;
  return {
    /**
     * Newest first; `isCut` where a source had more than 500.
     * @throws AppError footage.range-invalid for an empty range or one over 31 days
     */
    async list(
      channelIds: readonly string[],
      range: SpanMs,
    ): Promise<{ happenings: Happening[]; isCut: boolean }> {
      checkRange(range, longestMs);
      const ask = [channelIds, range, mostOfEach + 1] as const;
      const [marks, noticed, faults, tickets] = await Promise.all([
        bookmarks.list(...ask),
        events.list(...ask),
        others.listFaults(...ask),
        others.listTickets(...ask),
      ]);
      const nobody = { byName: null, byId: null };
      const sources: Happening[][] = [
        marks.map((mark) => ({
          id: mark.id,
          channelId: mark.channelId,
          kind: 'bookmark',
          fromAt: mark.fromAt,
          toAt: mark.toAt,
          text: mark.note,
          byName: mark.createdByName,
          byId: mark.createdBy,
        })),
        noticed.map(({ id, channelId, kind, startedAt, endedAt }) => ({
          id,
          channelId,
          kind,
          fromAt: startedAt,
          toAt: endedAt,
          text: '',
          ...nobody,
        })),
        faults.map(({ id, channelId, reason, openedAt, recoveredAt }) => ({
          id,
          channelId,
          kind: 'fault',
          fromAt: openedAt,
          toAt: recoveredAt,
          text: reason,
          ...nobody,
        })),
        // A ticket is a moment on the time line: when somebody asked for help. How long the work took says nothing of the picture.
        tickets.map(({ id, channelId, title, createdAt }) => ({
          id,
          channelId,
          kind: 'ticket',
          fromAt: createdAt,
          toAt: createdAt,
          text: title,
          ...nobody,
        })),
      ];
      return {
        happenings: sources
          .flatMap((list) => list.slice(0, mostOfEach))
          .toSorted((a, b) => b.fromAt - a.fromAt),
        isCut: sources.some((list) => list.length > mostOfEach),
      };
    },
  };
}
export type HappeningService = ReturnType<typeof createHappeningService>;
