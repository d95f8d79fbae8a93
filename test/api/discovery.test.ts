import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Device, Finding, RegisterResult } from '#api/devices/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { wizardOf } from '../factories/discovery.ts';
import { createFakeOnvif } from '../factories/fake-onvif.ts';

const right = [{ username: 'admin', password: 'Right#1234' }];
const wrong = (...passwords: string[]) => passwords.map((password) => ({ username: 'admin', password }));
let network: ReturnType<typeof createFakeOnvif>;
let app: TestApp;
let wizard: ReturnType<typeof wizardOf>;
let clockAt = 0;

beforeEach(async () => {
  network = createFakeOnvif();
  clockAt = Date.now();
  app = await makeTestApp({ onvif: network.port, now: () => clockAt }, { CAMERA_NETWORKS: '10.20.0.0/16' });
  wizard = wizardOf(app);
});
afterEach(() => app.destroy());

const searchAll = () => wizard.search({ method: 'ws-discovery' });
const only = async (host: string): Promise<Finding> => {
  const found = (await wizard.list()).filter((finding) => finding.host === host);
  expect(found).toHaveLength(1);
  return found[0] as Finding;
};
const devices = async () =>
  (await app.as('viewer', { url: '/api/devices' })).json<{ devices: Device[] }>().devices;
async function takeIn(host: string): Promise<string> {
  await searchAll();
  const finding = await only(host);
  await wizard.learn([finding.id], right);
  const result = (await wizard.register([{ findingId: finding.id }])).json<RegisterResult>();
  expect(result.failed).toEqual([]);
  return result.registered[0]?.deviceId ?? '';
}

it('contacts nothing while no camera network is set, and says so', async () => {
  await app.as('admin', {
    method: 'PATCH',
    url: '/api/settings',
    payload: { network: { cameraNetworks: [] } },
  });
  network.add('10.20.0.5', 'A');
  await searchAll();
  const finding = await only('10.20.0.5');
  expect(finding).toMatchObject({ outcome: 'untrusted' });
  await wizard.learn([finding.id], right);
  expect(network.calls).toEqual([]);
});

it('hints when nobody answers', async () => {
  expect(await searchAll()).toMatchObject({ state: 'done', found: 0, hint: 'no-replies' });
  network.add('10.20.0.5', 'A');
  expect(await searchAll()).toMatchObject({ state: 'done', found: 1, hint: null });
});

it('drops a device from an address that another one announces now', async () => {
  const first = network.add('10.20.0.5', 'A');
  await searchAll();
  const { id } = await only('10.20.0.5');
  first.isUp = false;
  network.add('10.20.0.5', 'B');
  await searchAll();
  const rows = await wizard.list();
  expect(rows).toHaveLength(2);
  expect(rows.find((row) => row.id === id)).toMatchObject({
    outcome: 'unreachable',
    reason: 'Another device now answers at this address.',
  });
  expect(rows.find((row) => row.id !== id)).toMatchObject({ outcome: 'new', name: 'Camera B' });
});

it('scans only what is confirmed, small enough and inside the camera networks', async () => {
  const scan = (payload: object) => wizard.post('/api/discovery/runs', { method: 'scan', ...payload });
  const codeOf = async (payload: object) => (await scan(payload)).json().code;
  expect(await codeOf({ ranges: ['10.20.1.0/24'] })).toBe('request.invalid');
  expect(await codeOf({ confirmScan: true })).toBe('request.invalid');
  expect(await codeOf({ ranges: ['10.20.1.0/33'], confirmScan: true })).toBe('request.invalid');
  expect(await codeOf({ ranges: ['10.21.0.0/24'], confirmScan: true })).toBe('device.outside-networks');
  expect(await codeOf({ ranges: ['10.19.255.250-10.20.0.3'], confirmScan: true })).toBe(
    'device.outside-networks',
  );
  expect(await codeOf({ ranges: ['10.20.0.0/19'], confirmScan: true })).toBe('discovery.range-too-large');
  expect((await scan({ ranges: ['10.20.0.0/20'], confirmScan: true })).statusCode).toBe(201);
});

it('adds by hand an address in any of its forms, inside the networks only', async () => {
  network.add('10.20.0.5', 'A');
  const add = (address: string) => wizard.post('/api/discovery/manual', { address });
  expect((await add('10.20.0.5')).json()).toMatchObject({
    outcome: 'new',
    source: 'manual',
    host: '10.20.0.5',
  });
  expect((await add('http://10.20.0.5/onvif/device_service')).json()).toMatchObject({ outcome: 'new' });
  await only('10.20.0.5');
  expect((await add('10.20.0.6:8000')).json()).toMatchObject({
    outcome: 'unreachable',
    reason: expect.stringContaining('8000'),
  });
  expect((await add('192.168.1.2')).json().code).toBe('device.outside-networks');
  for (const bad of [
    'camera.local',
    'http://camera.local/',
    'http://admin:x@10.20.0.5/',
    '10.20.0.5:99999',
    '10.020.0.5',
    'ftp://10.20.0.5',
  ])
    expect((await add(bad)).json().code, bad).toBe('request.invalid');
});

it('asks a host for at most two refused log-ins in ten minutes, and does not repeat a refused set', async () => {
  const device = network.add('10.20.0.5', 'A');
  await searchAll();
  const { id } = await only('10.20.0.5');
  expect((await wizard.learn([id], wrong('one')))[0]).toMatchObject({ outcome: 'unauthorized' });
  expect(device.refusals).toBe(1);
  expect((await wizard.learn([id], wrong('one')))[0]?.reason).toMatch(/just refused/);
  expect(device.refusals).toBe(1);
  expect((await wizard.learn([id], wrong('two', 'three', 'four')))[0]?.reason).toMatch(/ten minutes/);
  expect(device.refusals).toBe(2);
  await wizard.learn([id], right);
  expect(device.refusals).toBe(2);
  clockAt += 10 * 60_000;
  expect((await wizard.learn([id], right))[0]).toMatchObject({ outcome: 'ok' });
});

it('counts the tries of two findings at one host together', async () => {
  const device = network.add('10.20.0.5', 'A');
  await searchAll();
  await wizard.post('/api/discovery/manual', { address: 'http://10.20.0.5:8080/onvif/device_service' });
  const ids = (await wizard.list()).map((finding) => finding.id);
  expect(ids).toHaveLength(2);
  await wizard.learn(ids, wrong('one', 'two', 'three'));
  await wizard.learn(ids, wrong('four', 'five'));
  expect(device.refusals).toBeLessThanOrEqual(2);
});

it('registers with name and place, seals the password, and is safe to repeat', async () => {
  network.add('10.20.0.5', 'A', ['1', '2']);
  const campus = await wizard.post('/api/places', { parentId: null, kind: 'campus', name: '院区' });
  const placeId: string = campus.json().id;
  await searchAll();
  const { id } = await only('10.20.0.5');
  expect((await wizard.register([{ findingId: id }])).json().failed[0].code).toBe('conflict');
  const [learned] = await wizard.learn([id], [...wrong('one'), ...right]);
  expect(learned?.learned).toMatchObject({
    identity: 'serial:Maker/Model/A',
    firmwareVersion: '1.10',
    clockSkewMs: -250,
  });

  const bad = await wizard.register([{ findingId: id, placeId: 'nowhere' }]);
  expect(bad.json().failed[0].code).toBe('request.invalid');
  const items = [{ findingId: id, name: '急诊大厅', placeId }, { findingId: 'nobody' }];
  const result = (await wizard.register(items)).json<RegisterResult>();
  expect(result.failed).toEqual([expect.objectContaining({ findingId: 'nobody', code: 'not-found' })]);
  expect((await wizard.register(items)).json().registered).toEqual(result.registered);

  const [device] = await devices();
  expect(device).toMatchObject({ name: '急诊大厅', placeId, hasCredentials: true, kind: 'camera' });
  expect(device?.channels.map(({ name, placeId: at }) => [name, at])).toEqual([
    ['Lens 1', placeId],
    ['Lens 2', placeId],
  ]);
  const rows = await app.db('credentials');
  expect(rows).toHaveLength(1);
  expect(rows[0].sealed_password).toMatch(/^v1\./);
  expect(await app.db('audit_entries').where({ action: 'device.registered' })).toHaveLength(1);
  expect(await only('10.20.0.5')).toMatchObject({ outcome: 'registered', deviceId: device?.id });
});

it('follows a device to another address only when it proves who it is', async () => {
  const camera = network.add('10.20.0.5', 'A');
  const deviceId = await takeIn('10.20.0.5');

  camera.isUp = false;
  const fake = network.add('10.20.0.68', 'Z'); // announces the camera's reference, and is another device when asked
  fake.reference = camera.reference;
  await searchAll();
  await wizard.settled();
  expect((await devices())[0]).toMatchObject({ id: deviceId, host: '10.20.0.5' });

  fake.isUp = false;
  camera.host = '10.20.0.9';
  camera.isUp = true;
  await searchAll();
  await wizard.settled();
  const now = await devices();
  expect(now).toHaveLength(1);
  expect(now[0]).toMatchObject({
    id: deviceId,
    host: '10.20.0.9',
    xaddr: 'http://10.20.0.9/onvif/device_service',
  });
  const streams = await app.db('channels').where({ device_id: deviceId }).first('streams_json');
  expect(streams.streams_json).toContain('rtsp://10.20.0.9:554/');
  expect(await app.db('audit_entries').where({ action: 'device.moved' })).toHaveLength(1);
});

it('takes a stranger at a known address for what it is: no duplicate, no change of the registered device', async () => {
  const camera = network.add('10.20.0.5', 'A');
  const deviceId = await takeIn('10.20.0.5');
  camera.isUp = false;
  network.add('10.20.0.5', 'B');
  await wizard.search({ method: 'scan', ranges: ['10.20.0.5'], confirmScan: true });
  const finding = await only('10.20.0.5');
  const [asked] = await wizard.learn([finding.id], right);
  expect(asked).toMatchObject({
    outcome: 'ok',
    deviceId: null,
    learned: { identity: 'serial:Maker/Model/B' },
  });
  const [device] = await devices();
  expect(device).toMatchObject({ id: deviceId, serialNumber: 'A' });
  expect(device?.warnings).toContainEqual({ code: 'stranger', values: { who: 'Maker Model B' } });
});

it('gives a plain reason when two devices claim one identity', async () => {
  network.add('10.20.0.5', 'A');
  const deviceId = await takeIn('10.20.0.5');
  const clone = network.add('10.20.0.6', 'A');
  clone.reference = 'another';
  await searchAll();
  await wizard.settled();
  const { id } = await only('10.20.0.6');
  const [asked] = await wizard.learn([id], right);
  expect(asked).toMatchObject({
    outcome: 'registered',
    deviceId,
    reason: expect.stringContaining('same serial number'),
  });
  expect(await devices()).toHaveLength(1);
  expect((await devices())[0]).toMatchObject({ host: '10.20.0.5' });
});

it('learning a registered device again brings in new sources and keeps missing ones with a warning', async () => {
  const camera = network.add('10.20.0.5', 'A', ['1', '2']);
  const deviceId = await takeIn('10.20.0.5');
  const [before] = await devices();
  await app.as('engineer', {
    method: 'PATCH',
    url: `/api/channels/${before?.channels[0]?.id}`,
    payload: { name: '大门' },
  });
  camera.sources = ['1', '3'];
  const finding = await only('10.20.0.5');
  await wizard.learn([finding.id], []); // with its stored log-in
  const [after] = await devices();
  expect(after?.id).toBe(deviceId);
  expect(after?.channels.map((channel) => channel.name)).toEqual(['大门', 'Lens 2', 'Lens 3']);
  expect(after?.warnings).toEqual([{ code: 'channel-missing', values: { source: '2', name: 'Lens 2' } }]);
});

it('is not open to people who only look', async () => {
  for (const url of ['/api/discovery/findings', '/api/discovery/runs/current'])
    expect((await app.as('security', { url })).statusCode).toBe(403);
});

it('answers null before the first search, and cancels only the one under way', async () => {
  const current = await app.as('engineer', { url: '/api/discovery/runs/current' });
  expect(current.body).toBe('null');
  expect((await app.as('engineer', { method: 'DELETE', url: '/api/discovery/runs/none' })).statusCode).toBe(
    404,
  );
});
