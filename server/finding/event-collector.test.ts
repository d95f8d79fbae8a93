import { afterEach, describe, expect, it } from 'vitest';
import { createEventBus } from '#api/events/bus.ts';
import { createLogger } from '#api/log.ts';
import { systemClock } from '#media/clock.ts';
import { MediaError } from '#media/errors.ts';
import type { OnvifEvent } from '#media/onvif/events.ts';
import { channelOf, createEventCollector, type EventCollector } from './event-collector.ts';
import type { ChannelEventRecord, EventStore } from './event-store.ts';
import type { EventDevice } from './types.ts';

const log = createLogger({ logLevel: 'error' }, { write: () => undefined });
const startAt = 1_700_000_000_000;
const camera: EventDevice = { deviceId: 'd1', channels: [{ channelId: 'c1', tokens: ['VideoSource_1'] }] };
const recorder: EventDevice = {
  deviceId: 'd2',
  channels: [
    { channelId: 'n1', tokens: ['1'] },
    { channelId: 'n2', tokens: ['2', 'profile-2'] },
  ],
};
let collector: EventCollector | undefined;
afterEach(() => collector?.close());

/** A store in memory, and a device whose events the test says. */
function setUp(devices: readonly EventDevice[] = [camera]) {
  const rows: { -readonly [K in keyof ChannelEventRecord]: ChannelEventRecord[K] }[] = [];
  const store: EventStore = {
    async insert(row) {
      rows.push({ ...row, id: `e${rows.length}` });
      return `e${rows.length - 1}`;
    },
    async setEnd(id, endedAt) {
      const row = rows.find((each) => each.id === id);
      if (row) row.endedAt = endedAt;
    },
    list: async () => [],
    prune: async () => 0,
  };
  let now = startAt;
  const opened: string[] = [];
  const queues = new Map<
    string,
    { tell: (event: OnvifEvent) => Promise<void>; fail: (error: Error) => void }
  >();
  const bus = createEventBus({ now: () => now, log });
  collector = createEventCollector({
    devices: {
      list: () => devices,
      async *open(deviceId, signal) {
        opened.push(deviceId);
        let waiting = Promise.withResolvers<OnvifEvent | undefined>();
        let taken: (() => void) | undefined;
        signal.addEventListener('abort', () => waiting.resolve(undefined));
        queues.set(deviceId, {
          tell: (event) =>
            new Promise((resolve) => {
              taken = resolve;
              waiting.resolve(event);
            }),
          fail: (error) => waiting.reject(error),
        });
        for (;;) {
          const event = await waiting.promise;
          waiting = Promise.withResolvers();
          if (!event) return;
          yield event;
          taken?.();
        }
      },
    },
    store,
    bus,
    clock: systemClock,
    now: () => now,
    log,
  });
  collector.start();
  return {
    rows,
    opened,
    bus,
    pass: (ms: number) => (now += ms),
    async motion(state: string | undefined, parts: Partial<OnvifEvent> = {}, deviceId = 'd1') {
      await new Promise((resolve) => setImmediate(resolve));
      await queues.get(deviceId)?.tell({
        topic: 'VideoSource/MotionAlarm',
        operation: 'Changed',
        at: now,
        source: { Source: 'VideoSource_1' },
        data: state === undefined ? {} : { State: state },
        ...parts,
      });
    },
    fail: async (error: Error) => {
      await new Promise((resolve) => setImmediate(resolve));
      queues.get('d1')?.fail(error);
    },
  };
}

describe('collecting what cameras notice', () => {
  it('keeps one event from its beginning to its end, however often it is told', async () => {
    const world = setUp();
    await world.motion('false', { operation: 'Initialized' });
    await world.motion('true');
    world.pass(1_000);
    await world.motion('true');
    world.pass(3_000);
    await world.motion('false');
    expect(world.rows).toEqual([
      {
        id: 'e0',
        channelId: 'c1',
        kind: 'motion',
        topic: 'VideoSource/MotionAlarm',
        startedAt: startAt,
        endedAt: startAt + 4_000,
      },
    ]);
  });
  it('joins what stops for a breath, and tells apart what does not', async () => {
    const world = setUp();
    for (const [state, ms] of [
      ['true', 2_000],
      ['false', 3_000],
      ['true', 2_000],
      ['false', 9_000],
      ['true', 0],
    ] as const) {
      await world.motion(state);
      world.pass(ms);
    }
    expect(
      world.rows.map(({ startedAt, endedAt }) => [startedAt - startAt, endedAt && endedAt - startAt]),
    ).toEqual([
      [0, 7_000],
      [16_000, null],
    ]);
  });
  it('claims no end that nobody saw: a first state after the subscription was lost', async () => {
    const world = setUp();
    await world.motion('true');
    world.pass(600_000);
    await world.motion('false', { operation: 'Initialized' });
    expect(world.rows).toMatchObject([{ endedAt: null }]);
    await world.motion('true');
    expect(world.rows).toHaveLength(2);
  });
  it('believes a clock that is a little off, and not one that is hours off', async () => {
    const world = setUp();
    await world.motion(undefined, { at: startAt - 2_000, topic: 'RuleEngine/LineDetector/Crossed' });
    await world.motion(undefined, { at: startAt - 36_000_000, topic: 'Device/Trigger/DigitalInput' });
    expect(world.rows.map(({ startedAt }) => startedAt - startAt)).toEqual([-2_000, 0]);
  });
  it('keeps at most 400 of a camera in an hour', async () => {
    const world = setUp();
    for (let count = 0; count < 450; count += 1) {
      await world.motion(undefined);
      world.pass(6_000);
    }
    expect(world.rows.length).toBe(400);
  });
  it('finds the channel of a recorder by any of its names, and guesses none', () => {
    expect(channelOf(recorder, ['profile-2'])).toBe('n2');
    expect(channelOf(recorder, ['VideoSource_9'])).toBeUndefined();
    expect(channelOf(camera, ['whatever'])).toBe('c1');
  });
  it('leaves a device that has no events alone, and listens anew when it is changed', async () => {
    const world = setUp();
    await world.fail(new MediaError('not-supported', 'no events'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(world.opened).toEqual(['d1']);
    world.bus.emit({ name: 'device.changed', deviceId: 'd1' });
    await world.motion('true');
    expect(world.opened).toEqual(['d1', 'd1']);
    expect(world.rows).toHaveLength(1);
    world.bus.emit({ name: 'device.removed', deviceId: 'd1' });
    await collector?.close();
  });
});
