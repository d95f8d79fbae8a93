import { afterEach, beforeEach, expect, it } from 'vitest';
import { Compile } from 'typebox/compile';
import { DeviceList, type Channel, type Device, type RegisterResult } from '#api/devices/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { wizardOf } from '../factories/discovery.ts';
import { createFakeOnvif, type FakeDevice } from '../factories/fake-onvif.ts';

let network: ReturnType<typeof createFakeOnvif>;
let app: TestApp;
let camera: FakeDevice;
let device: Device;
let channel: Channel;

const list = (headers: Record<string, string> = {}) => app.as('viewer', { url: '/api/devices', headers });
const call = (method: 'GET' | 'PATCH' | 'DELETE' | 'POST', url: string, payload?: object) =>
  app.as('engineer', { method, url, ...(payload ? { payload } : {}) });

beforeEach(async () => {
  network = createFakeOnvif();
  camera = network.add('10.20.0.5', 'A');
  app = await makeTestApp({ onvif: network.port }, { CAMERA_NETWORKS: '10.20.0.0/16' });
  await takeIn();
  [device] = (await list()).json<{ devices: [Device] }>().devices;
  channel = device.channels[0] as Channel;
});
afterEach(() => app.destroy());

async function takeIn(): Promise<string> {
  const wizard = wizardOf(app);
  await wizard.search({ method: 'ws-discovery' });
  const [finding] = await wizard.list();
  const id = finding?.id ?? '';
  await wizard.learn([id], [{ username: 'admin', password: camera.password }]);
  const result = (await wizard.register([{ findingId: id, name: '药房' }])).json<RegisterResult>();
  expect(result.failed).toEqual([]);
  return result.registered[0]?.deviceId ?? '';
}
const footage = (channelId: string) => ({
  id: 's1',
  channel_id: channelId,
  run_id: 'r1',
  file: 'a.mp4',
  start_at: 1,
  end_at: 2,
  size_bytes: 3,
  video_codec: 'H264',
  has_audio: 0,
});

it('answers the list as the schema says, and 304 until something changes', async () => {
  const first = await list();
  expect(Compile(DeviceList).Check(first.json())).toBe(true);
  const etag = String(first.headers.etag);
  const same = await list({ 'if-none-match': etag });
  expect([same.statusCode, same.body]).toEqual([304, '']);
  await call('PATCH', `/api/channels/${channel.id}`, { planX: 12.5, planY: 40, headingDeg: 90 });
  const next = await list({ 'if-none-match': etag });
  expect(next.statusCode).toBe(200);
  expect(next.json().devices[0].channels[0]).toMatchObject({
    planX: 12.5,
    planY: 40,
    headingDeg: 90,
    isRecorded: true,
  });
});

it('says unknown and off for what nobody has looked at', () => {
  expect(channel).toMatchObject({ health: 'unknown', healthReason: null, recordingState: 'off' });
});

it('changes a device with every change on the trail but the password', async () => {
  const changed = await call('PATCH', `/api/devices/${device.id}`, { name: '中药房', isEnabled: false });
  expect(changed.json()).toMatchObject({ name: '中药房', isEnabled: false });
  const password = await call('PATCH', `/api/devices/${device.id}`, {
    credentials: { username: 'root', password: 'Another#99' },
  });
  expect(password.statusCode).toBe(200);
  const rows = await app.db('audit_entries').where({ action: 'device.changed' }).orderBy('seq');
  expect(JSON.parse(rows[0].detail_json)).toEqual({
    name: { from: '药房', to: '中药房' },
    isEnabled: { from: true, to: false },
  });
  expect(JSON.parse(rows[1].detail_json)).toEqual({ isPasswordChanged: true });
  expect(await app.db('credentials')).toHaveLength(1);
});

it('refuses addresses outside the camera networks, places that are not there, and strangers', async () => {
  const url = `/api/devices/${device.id}`;
  expect((await call('PATCH', url, { xaddr: 'http://8.8.8.8/' })).json().code).toBe(
    'device.outside-networks',
  );
  expect((await call('PATCH', url, { xaddr: 'http://a:b@10.20.0.7/' })).json().code).toBe('request.invalid');
  expect((await call('PATCH', url, { placeId: 'nowhere' })).json().code).toBe('request.invalid');
  expect((await call('PATCH', `/api/channels/${channel.id}`, { placeId: 'nowhere' })).statusCode).toBe(400);
  expect((await call('GET', '/api/devices/nobody')).statusCode).toBe(404);
  expect((await app.as('security', { method: 'PATCH', url, payload: { name: 'x' } })).statusCode).toBe(403);
});

it('deletes a device without footage, with its log-in', async () => {
  const gone = await call('DELETE', `/api/devices/${device.id}`);
  expect(gone.json()).toEqual({ how: 'deleted' });
  expect((await list()).json().devices).toEqual([]);
  expect(await app.db('credentials')).toEqual([]);
  expect(await app.db('channels')).toEqual([]);
  expect((await call('DELETE', `/api/devices/${device.id}`)).statusCode).toBe(404);
});

it('hides a device with footage, and brings it back with the same channels when it is registered again', async () => {
  await app.db('segments').insert(footage(channel.id));
  expect((await call('DELETE', `/api/devices/${device.id}`)).json()).toEqual({ how: 'hidden' });
  expect((await list()).json().devices).toEqual([]);
  const removed = await app.as('viewer', { url: '/api/devices?removed=true' });
  expect(removed.json().devices[0]).toMatchObject({
    id: device.id,
    isEnabled: false,
    removedAt: expect.any(String),
  });
  expect((await call('GET', `/api/channels/${channel.id}/snapshot`)).json().code).toBe('channel.no-picture');

  expect(await takeIn()).toBe(device.id);
  const [again] = (await list()).json<{ devices: [Device] }>().devices;
  expect(again).toMatchObject({ id: device.id, isEnabled: true, removedAt: null });
  expect(again.channels.map(({ id }) => id)).toEqual([channel.id]);
});

it('shares one snapshot for five seconds', async () => {
  const url = `/api/channels/${channel.id}/snapshot`;
  const answers = await Promise.all([call('GET', url), call('GET', url), call('GET', url)]);
  for (const answer of answers) expect(answer.headers['content-type']).toBe('image/jpeg');
  expect(network.calls.filter((text) => text.startsWith('snapshot'))).toHaveLength(1);
  await call('PATCH', `/api/devices/${device.id}`, { isEnabled: false });
  expect((await call('GET', url)).json().code).toBe('channel.no-picture');
});

it('moves a camera for whoever may, ends short nudges itself, and keeps one row a minute', async () => {
  const move = (role: 'viewer' | 'security', payload: object) =>
    app.as(role, { method: 'POST', url: `/api/channels/${channel.id}/ptz`, payload });
  const right = { pan: 0.5, tilt: 0, zoom: 0, timeoutMs: 300 };
  expect((await move('viewer', right)).statusCode).toBe(403);
  expect((await move('security', { ...right, pan: 2 })).statusCode).toBe(400);
  expect((await move('security', right)).statusCode).toBe(200);
  expect((await move('security', right)).statusCode).toBe(200);
  await wizardOf(app).until(async () => network.calls.includes('stop 1-main') || undefined, 'stop');
  expect(network.calls.filter((text) => /^(move|stop)/.test(text))).toEqual([
    'move 1-main 1',
    'move 1-main 1',
    'stop 1-main',
  ]);
  expect(await app.db('audit_entries').where({ action: 'channel.moved' })).toHaveLength(1);
});
