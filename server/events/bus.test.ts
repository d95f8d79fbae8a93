import { beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '#api/log.ts';
import { createEventBus, type EventBus } from './bus.ts';

let bus: EventBus;
beforeEach(() => {
  bus = createEventBus({ now: () => 0, log: createLogger({ logLevel: 'silent' }) });
});
const emit = (count = 1) => {
  for (let index = 0; index < count; index++) bus.emit({ name: 'places.changed' });
};

it('numbers events from 1 and stamps them', () => {
  const listener = vi.fn();
  bus.onAny(listener);
  emit(2);
  expect(listener.mock.calls).toEqual([
    [{ seq: 1, event: { name: 'places.changed', at: '1970-01-01T00:00:00.000Z' } }],
    [{ seq: 2, event: { name: 'places.changed', at: '1970-01-01T00:00:00.000Z' } }],
  ]);
});

it('gives a listener only what it asked for, until it ends its subscription', () => {
  const listener = vi.fn();
  const end = bus.on('user.changed', listener);
  emit();
  bus.emit({ name: 'user.changed', userId: 'u' });
  end();
  bus.emit({ name: 'user.changed', userId: 'u' });
  expect(listener).toHaveBeenCalledTimes(1);
});

it('goes on when a listener throws', () => {
  const listener = vi.fn();
  bus.onAny(() => {
    throw new Error('bad listener');
  });
  bus.onAny(listener);
  emit();
  expect(listener).toHaveBeenCalledTimes(1);
});

it('has exactly what came after a number, and nothing to add for whoever is up to date', () => {
  emit(5);
  expect(bus.since(bus.epoch, 3)?.map((entry) => entry.seq)).toEqual([4, 5]);
  expect(bus.since(bus.epoch, 5)).toEqual([]);
  expect(bus.since(bus.epoch, 0)).toHaveLength(5);
});

it('says so when it no longer has everything', () => {
  emit(2003);
  expect(bus.since(bus.epoch, 2)).toBeUndefined();
  expect(bus.since(bus.epoch, 3)).toHaveLength(2000);
});

it('knows nothing of another run, or of a number it has not reached', () => {
  emit();
  expect(bus.since('another', 0)).toBeUndefined();
  expect(bus.since(bus.epoch, 2)).toBeUndefined();
});
