import { MediaError } from '#media/errors.ts';

interface Task {
  readonly promise: Promise<void>;
  readonly stop: AbortController;
  /** Who still wants it. */
  waiters: number;
}

/** Work on devices, at most so many at once for each; the same work asked for twice is done once. */
export interface DeviceLanes {
  /**
   * Does `work`, when its turn has come, unless work of the same key is under way: then waits for that. `signal` gives up waiting; work
   * that nobody waits for any more is stopped. @throws what `work` throws; MediaError `cancelled` when `signal` is aborted
   */
  run(
    deviceId: string,
    key: string,
    signal: AbortSignal | undefined,
    work: (stop: AbortSignal) => Promise<void>,
  ): Promise<void>;
  /** Waits until nothing runs. */
  settled(): Promise<void>;
}

/** @param most at once for each device; more wait in order */
export function createDeviceLanes(most: number): DeviceLanes {
  const running = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  const tasks = new Map<string, Task>();

  async function enter(deviceId: string): Promise<void> {
    const count = running.get(deviceId) ?? 0;
    if (count < most) {
      running.set(deviceId, count + 1);
      return;
    }
    // The one that leaves hands its place on.
    await new Promise<void>((resolve) => {
      const queue = waiting.get(deviceId) ?? [];
      queue.push(resolve);
      waiting.set(deviceId, queue);
    });
  }
  function leave(deviceId: string): void {
    const next = waiting.get(deviceId)?.shift();
    if (next) return next();
    waiting.delete(deviceId);
    const count = (running.get(deviceId) ?? 1) - 1;
    if (count > 0) running.set(deviceId, count);
    else running.delete(deviceId);
  }

  function begin(deviceId: string, key: string, work: (stop: AbortSignal) => Promise<void>): Task {
    const stop = new AbortController();
    const promise = (async () => {
      await enter(deviceId);
      try {
        stop.signal.throwIfAborted();
        await work(stop.signal);
      } finally {
        leave(deviceId);
      }
    })();
    const task: Task = { promise, stop, waiters: 0 };
    tasks.set(key, task);
    const forget = () => {
      if (tasks.get(key) === task) tasks.delete(key);
    };
    promise.then(forget, forget); // whoever waits hears of a failure
    return task;
  }

  return {
    async run(deviceId, key, signal, work) {
      const known = tasks.get(key);
      const task = known && !known.stop.signal.aborted ? known : begin(deviceId, key, work);
      task.waiters += 1;
      let onAbort: (() => void) | undefined;
      const aborted = new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(new MediaError('cancelled', 'nobody waits for the footage any more'));
        if (signal?.aborted) onAbort();
        else signal?.addEventListener('abort', onAbort, { once: true });
      });
      try {
        await Promise.race([task.promise, aborted]);
      } finally {
        if (onAbort) signal?.removeEventListener('abort', onAbort);
        task.waiters -= 1;
        if (task.waiters === 0)
          task.stop.abort(new MediaError('cancelled', 'nobody waits for the footage any more'));
      }
    },
    async settled() {
      await Promise.allSettled([...tasks.values()].map((task) => task.promise));
    },
  };
}
