import { expect, it } from 'vitest';
import { createLogger } from '#api/log.ts';
import { createEventBus } from '#api/events/bus.ts';
import type { DeviceRegister } from './register.ts';
import type { HealthState } from './schema.ts';
import type { DeviceRecord } from './store.ts';
import { createDeviceViews } from './views.ts';

function setUp() {
  const log = createLogger({ logLevel: 'silent' }, { write: () => undefined });
  const bus = createEventBus({ now: () => 0, log });
  const devices = ['a', 'b'].map(
    (id) =>
      ({
        id,
        name: id,
        warnings: [],
        credential: { id: 'k', username: 'admin', sealedPassword: 'v1.sealed' },
        channels: [{ id: `${id}-1`, streams: [{ kind: 'main', rtspUri: 'rtsp://10.0.0.1/x' }] }],
      }) as unknown as DeviceRecord,
  );
  const register = {
    list: () => devices,
    findChannel: (id: string) => {
      const device = devices.find((candidate) => candidate.channels[0]?.id === id);
      return device && { device, channel: device.channels[0] };
    },
  } as unknown as DeviceRegister;
  const asked: string[] = [];
  const health: { state: HealthState } = { state: 'online' };
  const views = createDeviceViews({
    register,
    bus,
    states: {
      healthOf(id) {
        asked.push(id);
        return { state: health.state, reason: null, sinceAt: 0 };
      },
      recordingOf: () => ({ state: 'off', cause: null }),
    },
  });
  return { bus, views, asked, health };
}

it('makes the bytes once, and after an event only the device it is about', () => {
  const { bus, views, asked, health } = setUp();
  const first = views.list();
  expect(views.list()).toBe(first);
  expect(asked).toEqual(['a-1', 'b-1']);
  health.state = 'offline';
  bus.emit({
    name: 'channel.health-changed',
    channelId: 'b-1',
    deviceId: 'b',
    state: 'offline',
    reason: null,
  });
  const second = views.list();
  expect(second.etag).not.toBe(first.etag);
  expect(asked).toEqual(['a-1', 'b-1', 'b-1']);
  expect(second.body.toString().match(/"health":"\w+"/g)).toEqual([
    '"health":"online"',
    '"health":"offline"',
  ]);
  bus.emit({ name: 'recording.changed', channelId: 'a-1', state: 'recording', cause: null });
  views.list();
  expect(asked.at(-1)).toBe('a-1');
});

it('holds neither log-in nor stream address', () => {
  const text = setUp().views.list().body.toString();
  expect(text).not.toMatch(/sealed|rtsp|admin/);
});
