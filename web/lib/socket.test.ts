import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerEvent, SocketMessage } from '#api/events/schema.ts';
import { EventSocket, type SocketState } from './socket.ts';

/** Stands for the browser's WebSocket, which Node's tests have no server for. */
class FakeSocket extends EventTarget {
  readonly sent: unknown[] = [];
  isClosed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.isClosed = true;
  }
  opens(): void {
    this.dispatchEvent(new Event('open'));
  }
  says(message: SocketMessage): void {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }
  drops(code = 1006): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}

function setUp() {
  const sockets: FakeSocket[] = [];
  const states: SocketState[] = [];
  const events: ServerEvent[] = [];
  const onGap = vi.fn();
  const onSessionEnded = vi.fn();
  const socket = new EventSocket({
    url: 'wss://x/api/events',
    random: () => 1,
    open: () => {
      const fake = new FakeSocket();
      sockets.push(fake);
      return fake as unknown as WebSocket;
    },
    onState: (state) => states.push(state),
    onEvent: (event) => events.push(event),
    onGap,
    onSessionEnded,
  });
  const last = () => sockets.at(-1)!;
  return { socket, sockets, states, events, onGap, onSessionEnded, last };
}

const event: ServerEvent = { name: 'places.changed', at: '2026-11-24T08:00:00.000Z' };

describe('event socket', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('starts afresh, then resumes from the last event it saw', () => {
    const { socket, last, events, onGap, states } = setUp();
    socket.connect();
    last().opens();
    expect(last().sent).toEqual([{ name: 'resume', epoch: null, seq: null }]);
    last().says({ name: 'hello', epoch: 'e1', seq: 7, isComplete: false });
    expect(onGap).toHaveBeenCalledTimes(1);
    last().says({ name: 'event', seq: 9, event });
    expect(events).toEqual([event]);
    last().drops();
    expect(states.at(-1)).toBe('waiting');
    vi.advanceTimersByTime(1000);
    last().opens();
    expect(last().sent).toEqual([{ name: 'resume', epoch: 'e1', seq: 9 }]);
    last().says({ name: 'hello', epoch: 'e1', seq: 11, isComplete: true });
    expect(onGap).toHaveBeenCalledTimes(1);
    last().says({ name: 'event', seq: 10, event });
    expect(events).toHaveLength(2);
    socket.close();
  });

  it('asks the views to load afresh when the server restarted meanwhile', () => {
    const { socket, last, onGap } = setUp();
    socket.connect();
    last().opens();
    last().says({ name: 'hello', epoch: 'e1', seq: 50, isComplete: false });
    last().drops();
    vi.advanceTimersByTime(1000);
    last().opens();
    last().says({ name: 'hello', epoch: 'e2', seq: 3, isComplete: false });
    expect(onGap).toHaveBeenCalledTimes(2);
    last().drops();
    vi.advanceTimersByTime(1000);
    last().opens();
    expect(last().sent).toEqual([{ name: 'resume', epoch: 'e2', seq: 3 }]);
    socket.close();
  });

  it('waits longer after each failure, at most half a minute, and at once when told to', () => {
    const { socket, last, sockets } = setUp();
    socket.connect();
    for (const delayMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const before = sockets.length;
      last().drops();
      vi.advanceTimersByTime(delayMs - 1);
      expect(sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sockets).toHaveLength(before + 1);
    }
    last().drops();
    const before = sockets.length;
    socket.connect();
    expect(sockets).toHaveLength(before + 1);
    socket.close();
  });

  it('does not come back after its session ended or after close', () => {
    const { socket, last, sockets, onSessionEnded, states } = setUp();
    socket.connect();
    last().opens();
    last().drops(4401);
    expect(onSessionEnded).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    socket.connect();
    const second = last();
    socket.close();
    expect(second.isClosed).toBe(true);
    second.drops();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(2);
    expect(states.at(-1)).toBe('closed');
  });
});
