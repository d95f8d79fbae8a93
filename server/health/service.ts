import { Cron } from 'croner';
import type { Knex } from 'knex';
import { toWire, toWireOrNull, type Now } from '#api/clock.ts';
import type { HealthState } from '#api/devices/schema.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import type { SettingsService } from '#api/settings/service.ts';
import type { FaultTickets } from '#api/tickets/service.ts';
import { step, unseen, type Step } from './fault-rules.ts';
import { createSchedule } from './schedule.ts';
import type { ChannelHealth, Fault, LayerResult, Sample, Verdict } from './schema.ts';
import type { ChannelState, FaultRecord, HealthSample, HealthStore } from './store.ts';

/** What one look at a channel found. */
export interface Look {
  readonly verdict: Verdict;
  /** `layer.code` of the first layer that failed; null when all is well. */
  readonly reason: string | null;
  readonly layers: readonly LayerResult[];
}

/** A channel that is looked at: enabled, with the names a ticket needs. */
export interface WatchedChannel {
  readonly channelId: string;
  readonly deviceId: string;
  readonly name: string;
}

export interface HealthServiceOptions {
  readonly db: Knex;
  readonly store: HealthStore;
  readonly listWatched: () => readonly WatchedChannel[];
  readonly look: (channelId: string, signal: AbortSignal) => Promise<Look>;
  readonly tickets: FaultTickets;
  readonly settings: SettingsService;
  readonly bus: EventBus;
  readonly now: Now;
  readonly log: Logger;
}

/** What the device list shows of a channel. */
export interface HealthView {
  readonly state: HealthState;
  readonly reason: string | null;
  readonly sinceAt: number | null;
}

const keepSamplesMs = 7 * 24 * 3600 * 1000;
const lookDeadlineMs = 20_000;
const lookConcurrency = 8;
const evidenceCount = 5;
const unknownView: HealthView = { state: 'unknown', reason: null, sinceAt: null };

/**
 * Looks at every watched channel in turn, keeps what it saw, and turns repeated failures into one fault with its ticket. State is kept in
 * the database, so that a restart neither forgets nor repeats a fault.
 */
export async function createHealthService(options: HealthServiceOptions) {
  const { db, store, tickets, settings, bus, now, log } = options;
  const states = new Map((await store.listStates()).map((state) => [state.channelId, state]));

  const inFlight = new Map<string, Promise<ChannelState>>();

  /** Looks at one channel; whoever asks while a look is under way gets that one. */
  function check(channel: WatchedChannel, signal: AbortSignal): Promise<ChannelState> {
    const ongoing = inFlight.get(channel.channelId);
    if (ongoing) return ongoing;
    const started = lookAndKeep(channel, signal).finally(() => inFlight.delete(channel.channelId));
    inFlight.set(channel.channelId, started);
    return started;
  }

  /** The outcome is kept in one transaction; events go out once it is written. */
  async function lookAndKeep(channel: WatchedChannel, signal: AbortSignal): Promise<ChannelState> {
    const look = await options.look(channel.channelId, signal);
    const at = now();
    const sample: HealthSample = { at, ...look };
    const before = states.get(channel.channelId);
    const next = step(before ?? unseen, look.verdict, settings.current().health);
    const hasChanged = next.memory.state !== (before?.state ?? 'unknown');
    const state: ChannelState = {
      channelId: channel.channelId,
      ...next.memory,
      sinceAt: hasChanged || !before ? at : before.sinceAt,
      reason: next.memory.state === 'online' ? null : (look.reason ?? before?.reason ?? null),
      checkedAt: at,
      lastOkAt: look.verdict === 'ok' ? at : (before?.lastOkAt ?? null),
    };
    const afterwards = await db.transaction(async (trx) => {
      await store.addSample(channel.channelId, sample, trx);
      await store.saveState(state, trx);
      return applyTransition(next.transition, channel, look, at, trx);
    });
    states.set(channel.channelId, state);
    if (hasChanged || state.reason !== (before?.reason ?? null))
      bus.emit({
        name: 'channel.health-changed',
        channelId: channel.channelId,
        deviceId: channel.deviceId,
        state: state.state,
        reason: state.reason,
      });
    afterwards();
    return state;
  }

  async function applyTransition(
    transition: Step['transition'],
    channel: WatchedChannel,
    look: Look,
    at: number,
    trx: Knex.Transaction,
  ): Promise<() => void> {
    const { channelId, deviceId } = channel;
    const reason = look.reason ?? 'unknown';
    const kind = look.verdict === 'failed' ? ('channel-offline' as const) : ('channel-degraded' as const);
    const open = await store.findOpenFault(channelId, trx);

    if (transition === 'fault-opened' || (transition === 'fault-changed' && !open)) {
      const evidence = await store.listSamples(channelId, evidenceCount, trx);
      const faultId = await store.insertFault(
        { channelId, deviceId, kind, reason, evidence, openedAt: at },
        trx,
      );
      const ticket = await tickets.openForFault({ faultId, channel, kind, reason, at }, trx);
      await store.setFaultTicket(faultId, ticket.id, trx);
      return () => {
        log.warn({ channelId, faultId, reason, ticket: ticket.number }, 'fault opened');
        bus.emit({ name: 'fault.opened', faultId, channelId, reason, ticketId: ticket.id });
        bus.emit({ name: 'ticket.changed', ticketId: ticket.id, number: ticket.number });
      };
    }
    if (transition === 'fault-changed' && open) {
      const evidence = await store.listSamples(channelId, evidenceCount, trx);
      await store.changeFault(open.id, { kind, reason, evidence }, trx);
      return () =>
        bus.emit({ name: 'fault.opened', faultId: open.id, channelId, reason, ticketId: open.ticketId });
    }
    if (transition === 'recovered' && open) {
      await store.recoverFault(open.id, at, trx);
      const ticket = open.ticketId
        ? await tickets.noteRecovery(
            { ticketId: open.ticketId, faultId: open.id, channel, openedAt: open.openedAt, at },
            trx,
          )
        : undefined;
      return () => {
        log.info({ channelId, faultId: open.id }, 'fault recovered');
        bus.emit({ name: 'fault.recovered', faultId: open.id, channelId, ticketId: open.ticketId });
        if (ticket) bus.emit({ name: 'ticket.changed', ticketId: ticket.id, number: ticket.number });
      };
    }
    return () => undefined;
  }

  const watched = (channelId: string) =>
    options.listWatched().find((channel) => channel.channelId === channelId);
  const schedule = createSchedule({
    list: options.listWatched,
    async look(channelId, signal) {
      const channel = watched(channelId);
      const { probeIntervalMs, retryIntervalMs } = settings.current().health;
      if (!channel) return probeIntervalMs;
      const state = await check(channel, signal);
      const isSettled =
        (state.state === 'online' && state.streakVerdict === 'ok') ||
        (state.state === 'offline' && state.streakVerdict === 'failed');
      return isSettled ? probeIntervalMs : Math.min(retryIntervalMs, probeIntervalMs);
    },
    onError: (channelId, error) =>
      log.error({ channelId, err: error }, 'a look at a channel failed in the server'),
    intervalMs: () => settings.current().health.probeIntervalMs,
    concurrency: lookConcurrency,
    deadlineMs: lookDeadlineMs,
    now,
  });
  let pruning: Cron | undefined;

  return {
    /** What is known of a channel now; `unknown` until somebody has looked. */
    viewOf(channelId: string): HealthView {
      return states.get(channelId) ?? unknownView;
    },

    /** @throws AppError not-found when the channel is not watched */
    async get(channelId: string): Promise<ChannelHealth> {
      if (!watched(channelId)) throw new AppError('not-found');
      const state = states.get(channelId);
      const samples = await store.listSamples(channelId, 50);
      return {
        channelId,
        state: state?.state ?? 'unknown',
        sinceAt: toWireOrNull(state?.sinceAt),
        reason: state?.reason ?? null,
        checkedAt: toWireOrNull(state?.checkedAt),
        lastOkAt: toWireOrNull(state?.lastOkAt),
        streakVerdict: state?.streakVerdict ?? null,
        streakCount: state?.streakCount ?? 0,
        samples: samples.map(toWireSample),
      };
    },

    /** Looks now, out of turn. @throws AppError not-found when the channel is not watched */
    async checkNow(channelId: string): Promise<ChannelHealth> {
      const channel = watched(channelId);
      if (!channel) throw new AppError('not-found');
      await check(channel, AbortSignal.timeout(lookDeadlineMs));
      return this.get(channelId);
    },

    async listFaults(query: { isOpen?: boolean; channelId?: string; limit?: number }): Promise<Fault[]> {
      const records = await store.listFaults({ ...query, limit: query.limit ?? 200 });
      return records.map(toWireFault);
    },

    /** Faults of some channels that touch a stretch of time (epoch ms), newest first. */
    listFaultsTouching: store.listFaultsTouching,

    start(): void {
      schedule.start();
      pruning = new Cron('17 * * * *', { unref: true }, async () => {
        const deleted = await store.deleteSamplesBefore(now() - keepSamplesMs);
        log.debug({ deleted }, 'old health samples deleted');
      });
    },

    async close(): Promise<void> {
      pruning?.stop();
      await schedule.close();
    },
  };
}
export type HealthService = Awaited<ReturnType<typeof createHealthService>>;

function toWireSample(sample: HealthSample): Sample {
  return {
    at: toWire(sample.at),
    verdict: sample.verdict,
    reason: sample.reason,
    layers: [...sample.layers],
  };
}

function toWireFault(fault: FaultRecord): Fault {
  return {
    ...fault,
    evidence: fault.evidence.map(toWireSample),
    openedAt: toWire(fault.openedAt),
    recoveredAt: toWireOrNull(fault.recoveredAt),
  };
}
