import type { EventName, EventOf, ServerEvent } from '#api/events/schema.ts';
import { EventSocket, type SocketState } from './socket.ts';

type Listener = (event: ServerEvent) => void;

/** What the server tells as it happens. Views subscribe through `resource()`; `on` is for those that need the event itself. */
class LiveEvents {
  state = $state<SocketState>('closed');
  readonly #listeners = new Set<Listener>();
  readonly #gapListeners = new Set<() => void>();
  #socket: EventSocket | undefined;
  #onSessionEnded: () => void = () => undefined;

  constructor() {
    window.addEventListener('online', () => this.#socket?.connect());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.state === 'waiting') this.#socket?.connect();
    });
  }

  /** Connects for a session that has begun. Safe to call again. */
  start(onSessionEnded: () => void): void {
    this.#onSessionEnded = onSessionEnded;
    this.#socket ??= new EventSocket({
      url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/events`,
      onState: (state) => {
        this.state = state;
      },
      onEvent: (event) => {
        for (const listener of this.#listeners) listener(event);
      },
      onGap: () => {
        for (const listener of this.#gapListeners) listener();
      },
      onSessionEnded: () => this.#onSessionEnded(),
    });
    this.#socket.connect();
  }

  stop(): void {
    this.#socket?.close();
  }

  /** @returns a function that ends the subscription */
  on<N extends EventName>(names: readonly N[], listener: (event: EventOf<N>) => void): () => void {
    const take: Listener = (event) => {
      if ((names as readonly string[]).includes(event.name)) listener(event as EventOf<N>);
    };
    this.#listeners.add(take);
    return () => this.#listeners.delete(take);
  }

  /** Told when events may have been missed. @returns a function that ends the subscription */
  onGap(listener: () => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }
}

export const live = new LiveEvents();
