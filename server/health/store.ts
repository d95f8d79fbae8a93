import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { HealthState } from '#api/devices/schema.ts';
import type { LayerResult, Verdict } from './schema.ts';

/** One look at a channel, as kept. `at` is epoch ms. */
export interface HealthSample {
  readonly at: number;
  readonly verdict: Verdict;
  readonly reason: string | null;
  readonly layers: readonly LayerResult[];
}

/** Where a channel stands. Instants are epoch ms. */
export interface ChannelState {
  readonly channelId: string;
  readonly state: HealthState;
  readonly sinceAt: number;
  readonly reason: string | null;
  readonly streakVerdict: Verdict | null;
  readonly streakCount: number;
  readonly checkedAt: number | null;
  readonly lastOkAt: number | null;
}

export interface FaultRecord {
  readonly id: string;
  readonly channelId: string;
  readonly deviceId: string;
  readonly channelName: string;
  readonly kind: 'channel-offline' | 'channel-degraded';
  readonly reason: string;
  readonly evidence: readonly HealthSample[];
  readonly openedAt: number;
  readonly recoveredAt: number | null;
  readonly ticketId: string | null;
}

interface StateRow {
  channel_id: string;
  state: HealthState;
  since_at: number;
  reason: string | null;
  streak_verdict: Verdict | null;
  streak_count: number;
  checked_at: number | null;
  last_ok_at: number | null;
}
interface SampleRow {
  at: number;
  verdict: Verdict;
  reason: string | null;
  layers_json: string;
}
interface FaultRow {
  id: string;
  channel_id: string;
  device_id: string;
  channel_name: string;
  kind: FaultRecord['kind'];
  reason: string;
  evidence_json: string;
  opened_at: number;
  recovered_at: number | null;
  ticket_id: string | null;
}

const toState = (row: StateRow): ChannelState => ({
  channelId: row.channel_id,
  state: row.state,
  sinceAt: row.since_at,
  reason: row.reason,
  streakVerdict: row.streak_verdict,
  streakCount: row.streak_count,
  checkedAt: row.checked_at,
  lastOkAt: row.last_ok_at,
});
const toSample = (row: SampleRow): HealthSample => ({
  at: row.at,
  verdict: row.verdict,
  reason: row.reason,
  layers: JSON.parse(row.layers_json) as LayerResult[],
});
const toFault = (row: FaultRow): FaultRecord => ({
  id: row.id,
  channelId: row.channel_id,
  deviceId: row.device_id,
  channelName: row.channel_name,
  kind: row.kind,
  reason: row.reason,
  evidence: JSON.parse(row.evidence_json) as HealthSample[],
  openedAt: row.opened_at,
  recoveredAt: row.recovered_at,
  ticketId: row.ticket_id,
});

/** Queries of channel_health, health_samples and faults. */
export function createHealthStore(db: Knex) {
  const faults = (trx: Db) =>
    trx('faults')
      .join('channels', 'channels.id', 'faults.channel_id')
      .select('faults.*', 'channels.name as channel_name');

  return {
    async listStates(): Promise<ChannelState[]> {
      const rows: StateRow[] = await db('channel_health').select();
      return rows.map(toState);
    },

    async saveState(state: ChannelState, trx: Db = db): Promise<void> {
      await trx('channel_health')
        .insert({
          channel_id: state.channelId,
          state: state.state,
          since_at: state.sinceAt,
          reason: state.reason,
          streak_verdict: state.streakVerdict,
          streak_count: state.streakCount,
          checked_at: state.checkedAt,
          last_ok_at: state.lastOkAt,
        })
        .onConflict('channel_id')
        .merge();
    },

    async addSample(channelId: string, sample: HealthSample, trx: Db = db): Promise<void> {
      await trx('health_samples').insert({
        id: newId(),
        channel_id: channelId,
        at: sample.at,
        verdict: sample.verdict,
        reason: sample.reason,
        layers_json: JSON.stringify(sample.layers),
      });
    },

    /** Newest first. */
    async listSamples(channelId: string, limit: number, trx: Db = db): Promise<HealthSample[]> {
      const rows: SampleRow[] = await trx('health_samples')
        .where({ channel_id: channelId })
        .orderBy('at', 'desc')
        .limit(limit);
      return rows.map(toSample);
    },

    async deleteSamplesBefore(at: number): Promise<number> {
      return db('health_samples').where('at', '<', at).delete();
    },

    async insertFault(
      fault: Omit<FaultRecord, 'id' | 'channelName' | 'recoveredAt' | 'ticketId'>,
      trx: Db,
    ): Promise<string> {
      const id = newId();
      await trx('faults').insert({
        id,
        channel_id: fault.channelId,
        device_id: fault.deviceId,
        kind: fault.kind,
        reason: fault.reason,
        evidence_json: JSON.stringify(fault.evidence),
        opened_at: fault.openedAt,
      });
      return id;
    },

    async setFaultTicket(faultId: string, ticketId: string, trx: Db): Promise<void> {
      await trx('faults').where({ id: faultId }).update({ ticket_id: ticketId });
    },

    async changeFault(
      faultId: string,
      change: { kind: FaultRecord['kind']; reason: string; evidence: readonly HealthSample[] },
      trx: Db,
    ): Promise<void> {
      await trx('faults')
        .where({ id: faultId })
        .update({ kind: change.kind, reason: change.reason, evidence_json: JSON.stringify(change.evidence) });
    },

    async recoverFault(faultId: string, at: number, trx: Db): Promise<void> {
      await trx('faults').where({ id: faultId }).whereNull('recovered_at').update({ recovered_at: at });
    },

    async findOpenFault(channelId: string, trx: Db = db): Promise<FaultRecord | undefined> {
      const row: FaultRow | undefined = await faults(trx)
        .where('faults.channel_id', channelId)
        .whereNull('recovered_at')
        .first();
      return row && toFault(row);
    },

    /** Faults of some channels that touch a stretch of time (epoch ms), newest first. */
    async listFaultsTouching(
      channelIds: readonly string[],
      range: { fromAt: number; toAt: number },
      limit: number,
    ): Promise<FaultRecord[]> {
      const rows: FaultRow[] = await faults(db)
        .whereIn('faults.channel_id', [...channelIds])
        .andWhere('opened_at', '<', range.toAt)
        .andWhere((ends) => ends.whereNull('recovered_at').orWhere('recovered_at', '>', range.fromAt))
        .orderBy('opened_at', 'desc')
        .limit(limit);
      return rows.map(toFault);
    },

    /** Newest first. */
    async listFaults(query: { isOpen?: boolean; channelId?: string; limit: number }): Promise<FaultRecord[]> {
      const select = faults(db).orderBy('opened_at', 'desc').limit(query.limit);
      if (query.isOpen === true) select.whereNull('recovered_at');
      if (query.isOpen === false) select.whereNotNull('recovered_at');
      if (query.channelId !== undefined) select.where('faults.channel_id', query.channelId);
      const rows: FaultRow[] = await select;
      return rows.map(toFault);
    },
  };
}
export type HealthStore = ReturnType<typeof createHealthStore>;
