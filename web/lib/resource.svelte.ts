import { untrack } from 'svelte';
import type { EventName } from '#api/events/schema.ts';
import { isAbort, toApiError, type ApiError } from './api.ts';
import { live } from './live.svelte.ts';

/** Events often come in bursts (twelve cameras lost with one switch); one load answers them all. */
const reloadPauseMs = 250;

export interface ResourceOptions {
  /** Loads again when one of these happens, and whenever events may have been missed. */
  readonly events?: readonly EventName[];
  /** Loads again this often, for figures no event tells of. */
  readonly everyMs?: number;
}

/** Something a view shows, loaded from the API: with its loading, failed and stale states. */
export class Resource<T> {
  readonly #followsEvents: boolean;
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<ApiError | undefined>(undefined);
  isLoading = $state(false);
  readonly #fetch: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;

  constructor(fetch: (signal: AbortSignal) => Promise<T>, followsEvents: boolean) {
    this.#fetch = fetch;
    this.#followsEvents = followsEvents;
  }

  /** There is data, but the last load failed or the event connection is lost: it may no longer be so. */
  get isStale(): boolean {
    return (
      this.data !== undefined &&
      (this.error !== undefined || (this.#followsEvents && live.state === 'waiting'))
    );
  }

  /** Loads now, giving up a load that is under way. Never throws: failures are in `error`. */
  async reload(): Promise<void> {
    this.cancel();
    const running = new AbortController();
    this.#running = running;
    this.isLoading = true;
    try {
      const data = await this.#fetch(running.signal);
      if (this.#running !== running) return;
      this.data = data;
      this.error = undefined;
    } catch (error) {
      if (this.#running !== running || isAbort(error)) return;
      this.error = toApiError(error);
    } finally {
      if (this.#running === running) {
        this.isLoading = false;
        this.#running = undefined;
      }
    }
  }

  /** Forgets what is shown, as when another thing is asked for. */
  clear(): void {
    this.data = undefined;
    this.error = undefined;
  }

  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.isLoading = false;
  }
}

/**
 * Loads while the calling component lives, again whenever state that `fetch` reads before its first `await` changes, and on the events
 * named. Call it while a component is set up.
 */
export function resource<T>(
  fetch: (signal: AbortSignal) => Promise<T>,
  options: ResourceOptions = {},
): Resource<T> {
  const { events = [], everyMs } = options;
  const created = new Resource(fetch, events.length > 0);
  $effect(() => {
    void created.reload();
    return () => untrack(() => created.cancel());
  });
  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void created.reload(), reloadPauseMs);
    };
    const ends = events.length > 0 ? [live.on(events, soon), live.onGap(soon)] : [];
    const interval = everyMs === undefined ? undefined : setInterval(() => void created.reload(), everyMs);
    return () => {
      clearTimeout(timer);
      clearInterval(interval);
      for (const end of ends) end();
    };
  });
  return created;
}
