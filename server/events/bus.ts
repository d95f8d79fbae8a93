import { randomUUID } from 'node:crypto';
import { toWire, type Now } from '#api/clock.ts';
import type { Logger } from '#api/log.ts';
import type { EventName, EventOf, ServerEvent } from './schema.ts';

type Unsent<E extends ServerEvent> = E extends ServerEvent ? Omit<E, 'at'> : never;
type Listener<E> = (event: E) => void;
export interface NumberedEvent {
  readonly seq: number;
  readonly event: ServerEvent;
}

/** In-process facts. Delivery is at most once and in order; what must not be lost is a job instead. */
export interface EventBus {
  /** Changes with every process: a client that knows another epoch must load afresh. */
  readonly epoch: string;
  readonly lastSeq: number;
  emit(event: Unsent<ServerEvent>): void;
  /** @returns a function that ends the subscription */
  on<N extends EventName>(name: N, listener: Listener<EventOf<N>>): () => void;
  onAny(listener: Listener<NumberedEvent>): () => void;
  /** Events after `seq`, or undefined if some of them are no longer kept. */
  since(epoch: string, seq: number): NumberedEvent[] | undefined;
}

const keptEvents = 2000;

/** Makes the bus of one process. A listener that throws is logged and hinders nobody else. */
export function createEventBus({ now, log }: { now: Now; log: Logger }): EventBus {
  const epoch = randomUUID();
  const recent: NumberedEvent[] = [];
  const anyListeners = new Set<Listener<NumberedEvent>>();
  let seq = 0;

  return {
    epoch,
    get lastSeq() {
      return seq;
    },
    emit(unsent) {
      const event = { ...unsent, at: toWire(now()) } as ServerEvent;
      const numbered = { seq: ++seq, event };
      recent.push(numbered);
      if (recent.length > keptEvents) recent.shift();
      for (const listener of anyListeners) {
        try {
          listener(numbered);
        } catch (error) {
          log.error({ err: error, event: event.name }, 'an event listener failed');
        }
      }
    },
    on(name, listener) {
      return this.onAny(({ event }) => {
        if (event.name === name) listener(event as EventOf<typeof name>);
      });
    },
    onAny(listener) {
      anyListeners.add(listener);
      return () => anyListeners.delete(listener);
    },
    since(otherEpoch, after) {
      if (otherEpoch !== epoch || after > seq) return undefined;
      const oldest = recent[0]?.seq ?? seq + 1;
      if (after + 1 < oldest) return undefined;
      return recent.filter((entry) => entry.seq > after);
    },
  };
}
