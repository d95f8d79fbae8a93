import { MediaError } from '../errors.ts';

/**
 * Does costly things few at a time; those who want the same thing share it. A thing whose askers have all gone is given up.
 */
export interface SharedWork<T> {
  /**
   * @throws MediaError `rejected` when too many wait already, `cancelled` when `signal` aborts; else what `make` throws
   */
  run(key: string, make: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createSharedWork<T>(options: { maxRunning: number; maxWaiting: number }): SharedWork<T> {
  const { maxRunning, maxWaiting } = options;
  const jobs = new Map<string, { users: number; abort: AbortController; result: Promise<T> }>();
  const turns: (() => void)[] = [];
  let running = 0;

  async function inTurn(make: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (running >= maxRunning) await new Promise<void>((resolve) => turns.push(resolve));
    else running += 1;
    try {
      if (signal.aborted) throw new MediaError('cancelled', 'nobody waits for it any more');
      return await make(signal);
    } finally {
      // The turn is handed on; only the last one gives it back.
      const next = turns.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    async run(key, make, signal) {
      if (signal?.aborted) throw new MediaError('cancelled', 'nobody waits for it any more');
      let job = jobs.get(key);
      if (!job || job.abort.signal.aborted) {
        if (turns.length >= maxWaiting) throw new MediaError('rejected', 'too many wait already');
        const abort = new AbortController();
        const created = { users: 0, abort, result: inTurn(make, abort.signal) };
        const forget = () => {
          if (jobs.get(key) === created) jobs.delete(key);
        };
        created.result.then(forget, forget);
        jobs.set(key, created);
        job = created;
      }
      const mine = job;
      mine.users += 1;
      let leave: (() => void) | undefined;
      const left = new Promise<never>((_resolve, reject) => {
        leave = () => {
          mine.users -= 1;
          if (mine.users === 0) mine.abort.abort();
          reject(new MediaError('cancelled', 'nobody waits for it any more'));
        };
        signal?.addEventListener('abort', leave, { once: true });
      });
      try {
        return await Promise.race([mine.result, left]);
      } finally {
        if (leave) signal?.removeEventListener('abort', leave);
      }
    },
  };
}
