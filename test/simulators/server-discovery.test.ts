import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device, Finding } from '#api/devices/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { wizardOf } from '../factories/discovery.ts';
import { startHospital, type Hospital } from './hospital.ts';

const subnet = '127.0.77';
let hospital: Hospital;
let app: TestApp;
let wizard: ReturnType<typeof wizardOf>;

beforeAll(async () => {
  hospital = await startHospital({ subnet, odd: true });
  app = await makeTestApp({}, { CAMERA_NETWORKS: `${subnet}.0/24` });
  wizard = wizardOf(app);
});
afterAll(async () => {
  await app.destroy();
  await hospital.close();
});

const sound = () => hospital.devices.filter((device) => device.spec.kind !== 'odd');
const sets = () => [
  { username: hospital.credentials.user, password: hospital.credentials.password },
  { username: 'admin', password: 'Jifang@8848' },
];
const findingOf = async (id: string): Promise<Finding> => {
  const host = hospital.device(id).address;
  const found = (await wizard.list()).filter((finding) => finding.host === host);
  expect(found, `rows for ${id}`).toHaveLength(1);
  return found[0] as Finding;
};
const listDevices = async () =>
  (await app.as('viewer', { url: '/api/devices' })).json<{ devices: Device[] }>().devices;

async function findAll(): Promise<number> {
  const startedAt = Date.now();
  const run = await wizard.search({ method: 'ws-discovery' });
  const tookMs = Date.now() - startedAt;
  expect(run.state).toBe('done');
  return tookMs;
}

describe('finding the fleet', () => {
  it('finds every device within 10 s, through duplicates, paired replies and a megabyte of garbage', async () => {
    expect(await findAll()).toBeLessThan(10_000);
    for (const device of sound()) expect(await findingOf(device.id)).toMatchObject({ outcome: 'new' });
    expect(await findingOf('odd-huge')).toMatchObject({ outcome: 'new' });
  });

  it('finds every device when two replies of each are lost', async () => {
    await app.db('discovery_findings').delete();
    for (const device of sound()) hospital.loseReplies(device.id, 2);
    expect(await findAll()).toBeLessThan(10_000);
    for (const device of sound()) await findingOf(device.id);
  });

  it('keeps one row a device when searching again, and never contacts an address outside the networks', async () => {
    const before = await wizard.list();
    await findAll();
    const after = await wizard.list();
    const mine = (list: Finding[]) => list.filter((finding) => finding.host.startsWith(`${subnet}.`)).length;
    expect(mine(after)).toBe(mine(before));
    const foreign = after.find((finding) => finding.xaddr.includes('203.0.113.77'));
    expect(foreign).toMatchObject({ outcome: 'untrusted' });
    const [asked] = await wizard.learn([foreign?.id ?? ''], sets());
    expect(asked).toMatchObject({ outcome: 'untrusted' });
  });

  it('finds by scan what does not announce itself, and the same device stays the same row', async () => {
    const host = hospital.device('odd-relates').address;
    expect((await wizard.list()).some((finding) => finding.host === host)).toBe(false);
    const run = await wizard.search({
      method: 'scan',
      ranges: [`${subnet}.1-80`],
      ports: [hospital.device('cam-01').net.httpPort],
      confirmScan: true,
    });
    expect(run).toMatchObject({ state: 'done', done: 80, total: 80 });
    expect(await findingOf('odd-relates')).toMatchObject({ source: 'scan' });
    await findingOf('cam-01');
  });
});

describe('asking and registering', () => {
  it('never lets a device see more than two wrong passwords, however often it is asked', async () => {
    const finding = await findingOf('cam-13');
    const wrong = ['a', 'b', 'c', 'd'].map((password) => ({ username: 'admin', password }));
    for (let click = 0; click < 3; click += 1) {
      const [asked] = await wizard.learn([finding.id], wrong);
      expect(asked?.outcome).toBe('unauthorized');
    }
    const { loginFailures } = hospital.stats('cam-13');
    expect(loginFailures).toBeGreaterThan(0);
    expect(loginFailures).toBeLessThanOrEqual(2);
    const [afterwards] = await wizard.learn([finding.id], sets());
    expect(afterwards?.reason).toMatch(/ten minutes/);
    expect(hospital.stats('cam-13').loginFailures).toBe(loginFailures);
  });

  it('learns the fleet with two sets; what answers nonsense or nothing is a row with a plain reason', async () => {
    const asked = (await wizard.list()).filter(
      (finding) => finding.host.startsWith(subnet) && finding.host !== hospital.device('cam-13').address,
    );
    await wizard.learn(
      asked.map((finding) => finding.id),
      sets(),
    );
    for (const device of sound()) {
      if (device.id === 'cam-13') continue;
      const finding = await findingOf(device.id);
      if (device.id === 'cam-14')
        expect(finding.outcome).toBe('unauthorized'); // has a password of its own
      else expect(finding, device.id).toMatchObject({ outcome: 'ok', reason: null });
      expect(hospital.stats(device.id).loginFailures, device.id).toBeLessThanOrEqual(2);
    }
    const nvr = await findingOf('nvr-01');
    expect(nvr.learned).toMatchObject({ kind: 'nvr', model: 'HN-NVR7808' });
    expect(nvr.learned?.channels).toHaveLength(8);
    expect((await findingOf('cam-10')).learned?.clockSkewMs).toBeGreaterThan(6.9 * 60_000);
    for (const [id, outcomes] of [
      ['odd-huge', ['garbage']],
      ['odd-html', ['not-onvif', 'garbage']],
      ['odd-truncated', ['garbage']],
      ['odd-garbage', ['garbage']],
      ['odd-deep', ['garbage']],
      ['odd-empty', ['garbage']],
      ['odd-hang', ['timeout']],
    ] as const) {
      const finding = await findingOf(id);
      expect(outcomes, id).toContain(finding.outcome);
      expect(finding.reason, id).toMatch(/^[A-Z].+\.$/);
    }
  });

  it('registers what was learned, with channels, streams and a sealed password', async () => {
    const ready = (await wizard.list()).filter((finding) => finding.outcome === 'ok');
    const answer = await wizard.register(ready.map((finding) => ({ findingId: finding.id })));
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.json().failed).toEqual([]);
    const devices = await listDevices();
    expect(devices).toHaveLength(ready.length);
    const camera = devices.find((device) => device.host === hospital.device('cam-01').address);
    expect(camera).toMatchObject({ hasCredentials: true, kind: 'camera', isEnabled: true });
    expect(camera?.channels[0]?.streams.map((stream) => stream.kind)).toEqual(['main', 'sub']);
    const repeated = await wizard.register(ready.map((finding) => ({ findingId: finding.id })));
    expect(repeated.json().registered).toEqual(answer.json().registered);
    expect(await listDevices()).toHaveLength(ready.length);
  });

  it('shows a picture of now through the device, and says plainly when there is none', async () => {
    const channelOf = async (id: string) =>
      (await listDevices()).find((device) => device.host === hospital.device(id).address)?.channels[0]?.id;
    const picture = await app.as('viewer', { url: `/api/channels/${await channelOf('cam-07')}/snapshot` });
    expect(picture.statusCode, picture.body.slice(0, 200)).toBe(200);
    expect(picture.headers['content-type']).toBe('image/jpeg');
    expect([...picture.rawPayload.subarray(0, 2)]).toEqual([0xff, 0xd8]);
    const move = { pan: 0.5, tilt: 0, zoom: 0, timeoutMs: 1000 };
    const ptz = async (id: string, role: 'viewer' | 'security') =>
      app.as(role, { method: 'POST', url: `/api/channels/${await channelOf(id)}/ptz`, payload: move });
    expect((await ptz('cam-09', 'viewer')).statusCode).toBe(403);
    expect((await ptz('cam-09', 'security')).statusCode).toBe(200);
    expect(hospital.stats('cam-09').soapCalls.ContinuousMove).toBeGreaterThan(0);
    expect((await ptz('cam-01', 'security')).json().code).toBe('device.not-supported');
  });
});

describe('a device that changes address', () => {
  it('stays one device: the register follows it after it proved who it is', async () => {
    const before = (await listDevices()).find((device) => device.host === hospital.device('cam-03').address);
    await hospital.setFault('cam-03', { kind: 'changeAddress', host: 133 });
    await findAll();
    await wizard.settled();
    const devices = await listDevices();
    const after = devices.filter((device) => device.identity === before?.identity);
    expect(after).toHaveLength(1);
    expect(after[0]).toMatchObject({ id: before?.id, host: `${subnet}.133` });
    expect(after[0]?.channels[0]?.id).toBe(before?.channels[0]?.id);
    expect(after[0]?.warnings).toContainEqual({ code: 'moved', values: { from: before?.host } });
    expect(await findingOf('cam-03')).toMatchObject({ outcome: 'registered', deviceId: before?.id });
    const moved = await app.db('audit_entries').where({ action: 'device.moved' });
    expect(moved).toHaveLength(1);
    expect(moved[0].detail_json).toContain(`${subnet}.133`);
  });
});

it('keeps no camera password readable in database, logs or answers', async () => {
  const passwords = [...new Set(hospital.devices.map((device) => device.spec.password))].flatMap(
    (password) => [password, encodeURIComponent(password), Buffer.from(password).toString('base64')],
  );
  await app.db.raw('PRAGMA wal_checkpoint(TRUNCATE)');
  const files = readdirSync(app.dataDir).filter((file) => file.startsWith('weian.db'));
  const answers = await Promise.all(
    ['/api/devices', '/api/discovery/findings', '/api/audit', '/api/discovery/runs/current'].map((url) =>
      app.as('admin', { url }),
    ),
  );
  const texts: Record<string, string> = {
    ...Object.fromEntries(
      files.map((file) => [file, readFileSync(join(app.dataDir, file)).toString('latin1')]),
    ),
    logs: app.logLines.join(''),
    answers: answers.map((answer) => answer.body).join(''),
  };
  for (const where of ['weian.db', 'logs', 'answers'])
    expect(texts[where]?.length, where).toBeGreaterThan(10_000);
  for (const [where, text] of Object.entries(texts)) {
    for (const password of passwords) expect(text.includes(password), `${password} in ${where}`).toBe(false);
  }
});
