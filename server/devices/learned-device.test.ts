import { expect, it } from 'vitest';
import type { DeviceFacts } from '#media/onvif/learn.ts';
import type { Channel } from '#media/onvif/types.ts';
import { matchChannels, toLearnedDevice, toLearnedView } from './learned-device.ts';
import type { ChannelRecord } from './store.ts';

const source = (sourceToken: string, name?: string): Channel => ({
  sourceToken,
  name,
  hasPtz: false,
  streams: [
    {
      kind: 'main',
      profileToken: 'p',
      codec: 'H264',
      hasAudio: false,
      rtspUri: 'rtsp://10.1.2.3/p',
      media: 'media1',
    },
  ],
});
const facts = (more: Partial<DeviceFacts>): DeviceFacts => ({
  xaddr: 'http://10.1.2.3/onvif/device_service',
  refusedSets: 0,
  warnings: [],
  ...more,
});
const learn = (more: Partial<DeviceFacts>) =>
  toLearnedDevice(facts(more), { endpointReference: null, at: 7 });

it('leaves unknown what the device does not say', () => {
  const learned = learn({ channels: [source('1')] });
  expect(learned).toMatchObject({ manufacturer: null, clockSkewMs: null, clockCheckedAt: null, mac: null });
  expect(learned.channels[0]?.streams[0]).toMatchObject({
    widthPx: null,
    frameRateFps: null,
    bitrateBps: null,
  });
  expect(learned.wantsPassword).toBe(false);
});

it('knows a device that tells nothing stable by its address, and takes its own reference from its keys', () => {
  expect(learn({}).identityKeys).toEqual(['address:10.1.2.3:80']);
  const identity = {
    key: 'mac:02:00:00:00:00:01',
    kind: 'mac' as const,
    keys: ['mac:02:00:00:00:00:01', 'epr:abc'],
  };
  expect(learn({ identity })).toMatchObject({ identityKeys: identity.keys, endpointReference: 'abc' });
});

it('tells recorders from cameras with several lenses or an SD card', () => {
  const channels = (count: number) => Array.from({ length: count }, (_, index) => source(String(index)));
  const replay = { replay: 'http://10.1.2.3/replay' };
  expect(learn({ channels: channels(1), services: replay }).kind).toBe('camera');
  expect(learn({ channels: channels(2) }).kind).toBe('camera');
  expect(learn({ channels: channels(2), services: replay }).kind).toBe('nvr');
  expect(learn({ channels: channels(8) }).kind).toBe('nvr');
});

it('drops names that firmware makes up and keeps those that people gave', () => {
  const names = ['VSC_9', 'VideoSourceConfig', 'Profile_101', 'MainStream', '东大门', 'Lobby 2', undefined];
  const learned = learn({ channels: names.map((name, index) => source(String(index), name)) });
  expect(learned.channels.map(({ name }) => name)).toEqual([
    null,
    null,
    null,
    null,
    '东大门',
    'Lobby 2',
    null,
  ]);
});

it('shows no stream address to the console', () => {
  expect(JSON.stringify(toLearnedView(learn({ channels: [source('1')] })))).not.toContain('rtsp');
});

it('matches channels by source: some kept, some new, some missing', () => {
  const known = ['1', '2'].map((sourceToken) => ({ id: `c${sourceToken}`, sourceToken }) as ChannelRecord);
  const { channels } = learn({ channels: [source('3'), source('1')] });
  const { kept, added, missing } = matchChannels(known, channels);
  expect(kept.map(({ before }) => before.id)).toEqual(['c1']);
  expect(added.map(({ sourceToken }) => sourceToken)).toEqual(['3']);
  expect(missing.map(({ id }) => id)).toEqual(['c2']);
});
