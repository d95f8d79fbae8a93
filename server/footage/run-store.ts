import type { Knex } from 'knex';
import type { SpanMs } from './spans.ts';
import type { RunFacts } from './timeline.ts';

/** Queries of the recording runs. */
export function createRunStore(db: Knex) {
  return {
    /** Keeps that a run began; safe to repeat. */
    async insert(run: { id: string; channelId: string; startedAt: number }): Promise<void> {
      await db('recording_runs')
        .insert({ id: run.id, channel_id: run.channelId, started_at: Math.round(run.startedAt) })
        .onConflict('id')
        .ignore();
    },
    async setAnchor(id: string, anchorOffsetMs: number): Promise<void> {
      await db('recording_runs').where({ id }).update({ anchor_offset_ms: anchorOffsetMs });
    },
    async findAnchor(id: string): Promise<number | null> {
      const row: { anchor_offset_ms: number | null } | undefined = await db('recording_runs')
        .where({ id })
        .first('anchor_offset_ms');
      return row?.anchor_offset_ms ?? null;
    },
    async end(id: string, endedAt: number, endReason: string): Promise<void> {
      await db('recording_runs')
        .where({ id })
        .whereNull('ended_at')
        .update({ ended_at: Math.round(endedAt), end_reason: endReason });
    },
    /**
     * Closes the runs that a killed process left open: each ended with its last file.
     * @returns how many
     */
    async endAbandoned(endReason: string): Promise<number> {
      return db('recording_runs')
        .whereNull('ended_at')
        .update({
          end_reason: endReason,
          ended_at: db.raw(
            'COALESCE((SELECT MAX(end_at) FROM segments WHERE segments.run_id = recording_runs.id), started_at)',
          ),
        });
    },
    /** Runs that share time with `range` and the last one that began before it, by start. */
    async listFor(channelId: string, range: SpanMs): Promise<RunFacts[]> {
      const columns = ['started_at', 'ended_at', 'end_reason'] as const;
      type Row = { started_at: number; ended_at: number | null; end_reason: string | null };
      const inside: Row[] = await db('recording_runs')
        .where('channel_id', channelId)
        .andWhere('started_at', '>', range.fromAt)
        .andWhere('started_at', '<', range.toAt)
        .orderBy('started_at')
        .select(...columns);
      const before: Row | undefined = await db('recording_runs')
        .where('channel_id', channelId)
        .andWhere('started_at', '<=', range.fromAt)
        .orderBy('started_at', 'desc')
        .first(...columns);
      return [...(before ? [before] : []), ...inside].map((row) => ({
        startedAt: row.started_at,
        endedAt: row.ended_at,
        endReason: row.end_reason,
      }));
    },
  };
}
export type RunStore = ReturnType<typeof createRunStore>;
