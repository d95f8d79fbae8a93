import type { Knex } from 'knex';
import { beforeEach, expect, it } from 'vitest';
import { migrate } from '#api/db/migrate.ts';
import { createFindingStore, type FindingRecord } from '#api/devices/discovery-store.ts';
import { createDeviceStore, type ChannelFields, type DeviceFields } from '#api/devices/store.ts';
import { createPlaceStore } from '#api/sites/store.ts';
import { describeOnBoth } from './both-databases.ts';

const place = {
  id: 'p1',
  parentId: null,
  kind: 'campus' as const,
  name: '院区',
  nameEn: null,
  sort: 2,
  outline: [
    { x: 0, y: 0.5 },
    { x: 10, y: 0 },
    { x: 5, y: 9 },
  ],
};
const fields: DeviceFields = {
  identity: 'serial:M/X/1',
  endpointReference: 'ref',
  kind: 'nvr',
  name: '录像机',
  host: '10.0.0.1',
  xaddr: 'http://10.0.0.1/onvif/device_service',
  tlsFingerprint: null,
  manufacturer: 'M',
  model: 'X',
  firmwareVersion: '1.10',
  serialNumber: '12345678901234567890',
  hardwareId: null,
  mac: null,
  clockSkewMs: -420_000,
  clockCheckedAt: 1_764_000_000_123,
  isEnabled: true,
  warnings: [{ code: 'no-video', values: {} }],
  placeId: null,
  lastSeenAt: null,
  removedAt: null,
};
const channel: ChannelFields = {
  name: '大门',
  sort: 1,
  placeId: null,
  planX: 12.5,
  planY: null,
  headingDeg: 90,
  fovDeg: null,
  streams: [
    {
      kind: 'main',
      codec: 'H265',
      widthPx: 2560,
      heightPx: null,
      frameRateFps: 12.5,
      bitrateBps: null,
      hasAudio: false,
      profileToken: 'p',
      rtspUri: 'rtsp://10.0.0.1/p',
    },
  ],
  snapshotUri: null,
  hasPtz: false,
  isRecorded: true,
};

describeOnBoth(({ create, open }) => {
  let db: Knex;
  beforeEach(async () => {
    db = open(await create());
    await migrate(db);
  });

  it('gives devices and channels back as they were put in, unknowns as null', async () => {
    const store = createDeviceStore(db);
    await store.insert('d1', fields, 1);
    await store.insertChannel({ id: 'c1', deviceId: 'd1', sourceToken: 's1', ...channel }, 1);
    const expected = { id: 'd1', ...fields, credential: null };
    const channels = [{ id: 'c1', deviceId: 'd1', sourceToken: 's1', ...channel }];
    expect(await store.find('d1')).toEqual({ ...expected, channels });
    await store.update('d1', { isEnabled: false, removedAt: 5, warnings: [] }, 2);
    await store.updateChannel('c1', { isRecorded: false, planX: null }, 2);
    expect(await store.list()).toEqual([
      {
        ...expected,
        isEnabled: false,
        removedAt: 5,
        warnings: [],
        channels: [{ ...channels[0], isRecorded: false, planX: null }],
      },
    ]);
  });

  it('keeps one log-in a device and takes it away with the device', async () => {
    const store = createDeviceStore(db);
    await store.insert('d1', fields, 1);
    for (const id of ['k1', 'k2'])
      await store.putCredential('d1', { id, username: 'admin', sealedPassword: `v1.${id}` }, 1);
    const device = await store.find('d1');
    expect(device?.credential).toEqual({ id: 'k2', username: 'admin', sealedPassword: 'v1.k2' });
    expect(await db('credentials')).toHaveLength(1);
    if (device) await store.remove(device);
    expect(await db('credentials')).toHaveLength(0);
  });

  it('sees footage behind a device, and the database refuses to lose it', async () => {
    const store = createDeviceStore(db);
    await store.insert('d1', fields, 1);
    await store.insertChannel({ id: 'c1', deviceId: 'd1', sourceToken: 's1', ...channel }, 1);
    expect(await store.hasFootage('d1')).toBe(false);
    const hold = {
      id: 'h1',
      channel_id: 'c1',
      from_at: 1,
      to_at: 2,
      reason: 'x',
      created_by: 'u',
      created_at: 1,
    };
    await db('footage_holds').insert(hold);
    expect(await store.hasFootage('d1')).toBe(true);
    await expect(store.remove({ id: 'd1', credential: null })).rejects.toThrow();
  });

  it('keeps places with outline and plan bytes', async () => {
    const store = createPlaceStore(db);
    await store.insert(place, 1);
    const content = Buffer.from([0, 255, 10, 13]);
    const sha256 = 'f'.repeat(64);
    const plan = {
      mime: 'image/png' as const,
      widthPx: 16,
      heightPx: 9,
      metresPerPixel: 0.05,
      content,
      sha256,
    };
    await store.putPlan('p1', { ...plan, widthPx: 1 }, 1);
    await store.putPlan('p1', plan, 2);
    expect(await store.findPlan('p1', sha256)).toEqual(plan);
    const url = `/api/places/p1/plan/${sha256}`;
    const info = { url, widthPx: 16, heightPx: 9, metresPerPixel: 0.05 };
    expect(await store.list()).toEqual([{ ...place, plan: info }]);
    await createDeviceStore(db).insert('d1', { ...fields, placeId: 'p1' }, 1);
    expect(await store.countContents('p1')).toEqual({ places: 0, devices: 1 });
    await createDeviceStore(db).update('d1', { removedAt: 3 }, 1);
    expect(await store.countContents('p1')).toEqual({ places: 0, devices: 0 });
  });

  it('keeps findings, drops old ones that were never taken in, and forgets that one was being asked', async () => {
    const store = createFindingStore(db);
    const finding: FindingRecord = {
      id: 'f1',
      key: 'epr:ref',
      endpointReference: 'ref',
      source: 'scan',
      host: '10.0.0.1',
      xaddr: 'http://10.0.0.1/',
      name: null,
      hardware: null,
      location: null,
      outcome: 'asking',
      reason: null,
      learned: null,
      deviceId: null,
      firstSeenAt: 5,
      lastSeenAt: 6,
    };
    await store.insert(finding);
    expect(await store.findByKey('epr:ref')).toEqual(finding);
    await store.resetAsking();
    expect(await store.listByHost('10.0.0.1')).toEqual([{ ...finding, outcome: 'new' }]);
    await store.prune(6);
    expect(await store.list()).toHaveLength(1);
    await store.prune(7);
    expect(await store.remove('f1')).toBe(false);
  });
});
