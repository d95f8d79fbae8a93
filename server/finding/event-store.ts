import type { Knex } from 'knex';
import { newId } from '#api/db/ids.ts';
import type { SpanMs } from './types.ts';

/** Something a camera itself noticed. */
export interface ChannelEventRecord {
  readonly id: string;
  readonly channelId: string;
  readonly kind: 'motion' | 'alarm' | 'tamper' | 'video-loss';
  readonly topic: string;
  readonly startedAt: number;
  /** null: goes on, or nobody saw its end. */
  readonly endedAt: number | null;
}
interface Row {
  id: string;
  channel_id: string;
  kind: ChannelEventRecord['kind'];
  topic: string;
  started_at: number;
  ended_at: number | null;
}

/** No event that is still of use lasts longer; it bounds how far back a search by overlap looks, so that the index on the start serves it. */
const longestMs = 86_400_000;

/** Queries of what cameras noticed. */
export function createEventStore(db: Knex) {
  return {
    async insert(event: Omit<ChannelEventRecord, 'id'>): Promise<string> {
      const id = newId();
      await db('channel_events').insert({
        id,
        channel_id: event.channelId,
        kind: event.kind,
        topic: event.topic,
        started_at: Math.round(event.startedAt),
        ended_at: event.endedAt === null ? null : Math.round(event.endedAt),
      });
      return id;
    },
    async setEnd(id: string, endedAt: number | null): Promise<void> {
      await db('channel_events')
        .where({ id })
        .update({ ended_at: endedAt === null ? null : Math.round(endedAt) });
    },
    /** Those that touch `range`, newest first. One whose end nobody saw counts as a moment. */
    async list(channelIds: readonly string[], range: SpanMs, limit: number): Promise<ChannelEventRecord[]> {
      const rows: Row[] = await db('channel_events')
        .whereIn('channel_id', [...channelIds])
        .andWhere('started_at', '<', range.toAt)
        .andWhere('started_at', '>', range.fromAt - longestMs)
        .andWhere((ends) =>
          ends.where('started_at', '>=', range.fromAt).orWhere('ended_at', '>', range.fromAt),
        )
        .orderBy('started_at', 'desc')
        .limit(limit);
      return rows.map((row) => ({
        id: row.id,
        channelId: row.channel_id,
        kind: row.kind,
        topic: row.topic,
        startedAt: row.started_at,
        endedAt: row.ended_at,
      }));
    },
    /** Deletes what began before `at`, then the oldest beyond `mostRows`. @returns how many */
    async prune(at: number, mostRows: number): Promise<number> {
      const old = await db('channel_events').where('started_at', '<', at).delete();
      const first: { started_at: number } | undefined = await db('channel_events')
        .orderBy('started_at', 'desc')
        .offset(mostRows)
        .first('started_at');
      if (!first) return old;
      return old + (await db('channel_events').where('started_at', '<=', first.started_at).delete());
    },
  };
}
export type EventStore = ReturnType<typeof createEventStore>;
