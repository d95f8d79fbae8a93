import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import { pause, type Clock } from '#media/clock.ts';
import { isMediaError } from '#media/errors.ts';
import { readNoticed } from '#media/onvif/event-kinds.ts';
import type { OnvifEvent } from '#media/onvif/events.ts';
import type { EventStore } from './event-store.ts';
import type { EventDevice } from './types.ts';

/** What waiting does not mend is tried again seldom; a changed log-in or address starts anew at once. */
const hopelessMs = 6 * 3_600_000;
/** A camera that notices the same thing again so soon still notices it. */
const joinMs = 5_000;
/** More than this from one camera in an hour is a detector set badly; the rest of the hour is not kept. */
const mostAnHour = 400;
const hourMs = 3_600_000;
/** A device whose clock is off by more is not believed: the event came now. */
const believableMs = 600_000;

/** What the register gives: the devices to listen to, and their events. */
export interface DeviceEvents {
  list(): readonly EventDevice[];
  /** Ends without an error when `signal` aborts; survives losses by itself. @throws MediaError for what waiting does not mend */
  open(deviceId: string, signal: AbortSignal): AsyncGenerator<OnvifEvent, void, void>;
}

/** An event that goes on or has just ended. */
interface Known {
  readonly id: string;
  readonly startedAt: number;
  endedAt: number | null;
}

/**
 * Listens to every device that is switched on and keeps what its cameras notice. Follows the register: a device that is added, changed or removed is
 * listened to accordingly.
 */
export function createEventCollector(options: {
  devices: DeviceEvents;
  store: EventStore;
  bus: EventBus;
  clock: Clock;
  now: Now;
  log: Logger;
}) {
  const { devices, store, bus, clock, now, log } = options;
  const listeners = new Map<string, { stop: AbortController; done: Promise<void> }>();
  const ends: (() => void)[] = [];
  let isClosed = false;

  async function listen(device: EventDevice, signal: AbortSignal): Promise<void> {
    const keep = createKeeper(device);
    while (!signal.aborted) {
      try {
        for await (const event of devices.open(device.deviceId, signal)) await keep(event);
      } catch (error) {
        if (signal.aborted) return;
        const { deviceId } = device;
        if (isMediaError(error)) log.info({ deviceId, code: error.code }, 'the device gives no events');
        else log.error({ deviceId, err: error }, 'collecting events failed');
      }
      await pause(clock, hopelessMs, signal);
    }
  }

  function createKeeper(device: EventDevice): (event: OnvifEvent) => Promise<void> {
    const known = new Map<string, Known>();
    const counts = new Map<string, { hour: number; count: number }>();

    function isTooMany(channelId: string, at: number): boolean {
      const hour = Math.floor(at / hourMs);
      const before = counts.get(channelId);
      const count = before?.hour === hour ? before.count + 1 : 1;
      counts.set(channelId, { hour, count });
      if (count === mostAnHour + 1) log.warn({ channelId }, 'more events in an hour than are kept');
      return count > mostAnHour;
    }

    return async (event) => {
      const noticed = readNoticed(event);
      const channelId = noticed && channelOf(device, noticed.tokens);
      if (!noticed || channelId === undefined) return;
      const receivedAt = now();
      const isBelievable = event.at !== undefined && Math.abs(event.at - receivedAt) < believableMs;
      const at = isBelievable && event.at !== undefined ? event.at : receivedAt;
      const { kind, isActive } = noticed;
      const key = `${channelId} ${event.topic}`;
      const last = known.get(key);
      const isGoingOn = last !== undefined && last.endedAt === null;
      if (isActive === false) {
        if (!isGoingOn) return;
        // Told as a first state after the subscription was lost: when it ended, nobody saw.
        if (event.operation === 'Initialized') known.delete(key);
        else {
          last.endedAt = Math.max(at, last.startedAt);
          await store.setEnd(last.id, last.endedAt);
        }
        return;
      }
      const endedAt = isActive === undefined ? at : null;
      if (isGoingOn) return;
      if (last?.endedAt !== null && last?.endedAt !== undefined && at - last.endedAt < joinMs) {
        last.endedAt = endedAt;
        await store.setEnd(last.id, endedAt);
        return;
      }
      if (isTooMany(channelId, at)) return;
      const id = await store.insert({ channelId, kind, topic: event.topic, startedAt: at, endedAt });
      known.set(key, { id, startedAt: at, endedAt });
    };
  }

  function stop(deviceId: string): void {
    listeners.get(deviceId)?.stop.abort();
    listeners.delete(deviceId);
  }
  function follow(deviceId: string): void {
    stop(deviceId);
    const device = devices.list().find((each) => each.deviceId === deviceId);
    if (!device || isClosed) return;
    const controller = new AbortController();
    listeners.set(deviceId, { stop: controller, done: listen(device, controller.signal) });
  }

  return {
    start(): void {
      for (const device of devices.list()) follow(device.deviceId);
      ends.push(
        bus.on('device.changed', ({ deviceId }) => follow(deviceId)),
        bus.on('device.removed', ({ deviceId }) => stop(deviceId)),
      );
    },
    /** Ends all subscriptions. Safe to repeat. */
    async close(): Promise<void> {
      isClosed = true;
      for (const end of ends.splice(0)) end();
      const running = [...listeners.values()];
      for (const { stop: controller } of running) controller.abort();
      listeners.clear();
      await Promise.all(running.map(({ done }) => done));
    },
  };
}
export type EventCollector = ReturnType<typeof createEventCollector>;

/** The channel a token names; the only one of a camera whatever it calls its source; undefined when it cannot be told. */
export function channelOf(device: EventDevice, tokens: readonly string[]): string | undefined {
  const named = device.channels.find((channel) => channel.tokens.some((token) => tokens.includes(token)));
  return named?.channelId ?? (device.channels.length === 1 ? device.channels[0]?.channelId : undefined);
}
