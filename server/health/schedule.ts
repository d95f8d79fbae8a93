import type { Now } from '#api/clock.ts';

export interface ScheduleOptions {
  /** The channels to look at now, each with its device: one device is never asked twice at once. */
  readonly list: () => readonly { channelId: string; deviceId: string }[];
  /** Does one look and says after how many ms the next is due. Must settle soon after `signal` fires. */
  readonly look: (channelId: string, signal: AbortSignal) => Promise<number>;
  readonly onError: (channelId: string, error: unknown) => void;
  /** Where the first look of a new channel falls in the cycle, 0..1, so that a fleet does not start at once. */
  readonly spread?: () => number;
  readonly intervalMs: () => number;
  /** At most this many looks at once over all channels. */
  readonly concurrency: number;
  /** A look that takes longer is told to stop, and its place goes to the next. */
  readonly deadlineMs: number;
  readonly now: Now;
}

const tickMs = 250;

/**
 * Spreads looks over the cycle and bounds how many run at once. A device that hangs holds one place until its deadline and delays nobody
 * else, since a channel is only due again once its own look has ended.
 */
export function createSchedule(options: ScheduleOptions) {
  const { now, concurrency, deadlineMs, spread = Math.random } = options;
  const dueAt = new Map<string, number>();
  const busyDevices = new Set<string>();
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  let timer: NodeJS.Timeout | undefined;

  async function run(channelId: string, deviceId: string, controller: AbortController): Promise<void> {
    const deadline = setTimeout(() => controller.abort(), deadlineMs);
    try {
      dueAt.set(channelId, now() + (await options.look(channelId, controller.signal)));
    } catch (error) {
      dueAt.set(channelId, now() + options.intervalMs());
      options.onError(channelId, error);
    } finally {
      clearTimeout(deadline);
      busyDevices.delete(deviceId);
      running.delete(channelId);
    }
  }

  function tick() {
    const channels = options.list();
    const known = new Set(channels.map((channel) => channel.channelId));
    for (const id of dueAt.keys()) if (!known.has(id)) dueAt.delete(id);
    for (const { channelId } of channels)
      if (!dueAt.has(channelId))
        dueAt.set(channelId, now() + spread() * Math.min(options.intervalMs(), 10_000));

    const due = channels
      .filter(({ channelId }) => !running.has(channelId) && (dueAt.get(channelId) ?? Infinity) <= now())
      .toSorted((a, b) => (dueAt.get(a.channelId) ?? 0) - (dueAt.get(b.channelId) ?? 0));
    for (const { channelId, deviceId } of due) {
      if (running.size >= concurrency) return;
      if (busyDevices.has(deviceId)) continue;
      busyDevices.add(deviceId);
      const controller = new AbortController();
      running.set(channelId, { controller, done: run(channelId, deviceId, controller) });
    }
  }

  return {
    start() {
      timer ??= setInterval(tick, tickMs);
    },
    /** Aborts what runs and waits for it. */
    async close() {
      clearInterval(timer);
      timer = undefined;
      for (const { controller } of running.values()) controller.abort();
      await Promise.all([...running.values()].map((entry) => entry.done));
    },
  };
}
