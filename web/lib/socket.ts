import type { ClientMessage, ServerEvent, SocketMessage } from '#api/events/schema.ts';

/** `waiting`: the connection is lost and the next try is due; views may be stale. */
export type SocketState = 'closed' | 'connecting' | 'open' | 'waiting';

export interface EventSocketOptions {
  readonly url: string;
  readonly open?: (url: string) => WebSocket;
  readonly random?: () => number;
  readonly onState: (state: SocketState) => void;
  readonly onEvent: (event: ServerEvent) => void;
  /** Events may have been missed for good: load every view afresh. Also told at the first connection, for views that loaded before it. */
  readonly onGap: () => void;
  /** The server says the session is over. */
  readonly onSessionEnded: () => void;
}

const firstDelayMs = 1000;
const longestDelayMs = 30_000;
/** Close code of the server when the session ended; see server/events/routes.ts. */
const sessionEndedCode = 4401;

/**
 * The one WebSocket of the console. Says where it was (`resume`), so that a short loss of connection loses no event, and comes back by
 * itself with growing pauses.
 */
export class EventSocket {
  readonly #options: EventSocketOptions;
  #socket: WebSocket | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #epoch: string | null = null;
  #seq: number | null = null;

  constructor(options: EventSocketOptions) {
    this.#options = options;
  }

  /** Connects now, also when a retry was pending. Safe to call again. */
  connect(): void {
    clearTimeout(this.#retryTimer);
    if (this.#socket) return;
    this.#options.onState('connecting');
    const open = this.#options.open ?? ((url: string) => new WebSocket(url));
    const socket = open(this.#options.url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      const resume: ClientMessage = { name: 'resume', epoch: this.#epoch, seq: this.#seq };
      socket.send(JSON.stringify(resume));
    });
    socket.addEventListener('message', (message) => {
      if (this.#socket === socket) this.#take(JSON.parse(String(message.data)) as SocketMessage);
    });
    socket.addEventListener('close', (event) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (event.code === sessionEndedCode) {
        this.#options.onState('closed');
        this.#options.onSessionEnded();
      } else this.#retryLater();
    });
  }

  /** Ends the connection and forgets the place in the event stream. */
  close(): void {
    clearTimeout(this.#retryTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#epoch = null;
    this.#seq = null;
    this.#failures = 0;
    socket?.close();
    this.#options.onState('closed');
  }

  #take(message: SocketMessage): void {
    if (message.name === 'event') {
      this.#seq = message.seq;
      this.#options.onEvent(message.event);
      return;
    }
    this.#failures = 0;
    this.#epoch = message.epoch;
    if (!message.isComplete) this.#seq = message.seq;
    this.#options.onState('open');
    if (!message.isComplete) this.#options.onGap();
  }

  #retryLater(): void {
    this.#options.onState('waiting');
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#failures);
    this.#failures += 1;
    // Spread over half the pause, so that a whole hospital does not come back in the same instant after a restart.
    const jitter = (this.#options.random ?? Math.random)();
    this.#retryTimer = setTimeout(() => this.connect(), delayMs * (0.5 + jitter / 2));
  }
}
