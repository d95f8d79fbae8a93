import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { learnDevice, type LearnOptions } from './learn.ts';
import {
  fault,
  sendSoap,
  startTestDevice,
  type Answer,
  type TestDevice,
  type TestDeviceOptions,
} from './test-device.ts';

const open: TestDevice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((device) => device.close()));
});

async function start(options: TestDeviceOptions = {}): Promise<TestDevice> {
  const device = await startTestDevice(options);
  open.push(device);
  return device;
}

const set = (password: string) => ({ username: 'admin', password });
const learn = (xaddr: string, options: Partial<LearnOptions> = {}) =>
  learnDevice({ xaddr }, { credentialSets: [set('secret')], log: silentLog, deadlineMs: 600, ...options });
const tries = (device: TestDevice) =>
  device.requests.filter(({ hasToken, authorization }) => hasToken || authorization).length;

const send =
  (status: number, body: string | Buffer): Answer =>
  (_, response: ServerResponse) =>
    void response.writeHead(status).end(body);

describe('learnDevice', () => {
  it.each(['ws', 'digest', 'none'] as const)(
    'learns everything from a device with log-in %s',
    async (auth) => {
      const device = await start({ auth, skewMs: 8 * 3_600_000 });
      const { outcome, reason, facts } = await learn(device.xaddr);
      expect([outcome, reason]).toEqual(['ok', '']);
      expect(facts).toMatchObject({
        information: { firmwareVersion: '1.10' },
        clock: { suspectedHourOffset: 8, timeZone: 'CST-8', isNtp: true },
        identity: { kind: 'serial' },
        channels: [{ sourceToken: 'src0' }],
        network: [
          {
            mac: '00:1b:c5:00:00:0a',
            addresses: [{ address: '127.0.0.1', prefixLength: 24, isDhcp: false }],
          },
        ],
      });
      expect(facts.credentialSetIndex).toBe(auth === 'none' ? undefined : 0);
      expect(facts.warnings).toEqual([{ code: 'clock-hours-off', values: { hours: '8' } }]);
      expect(device.operations()[0]).toBe('GetSystemDateAndTime');
    },
  );

  it.each(['ws', 'digest'] as const)('tries the sets in order, two refusals at most (%s)', async (auth) => {
    const device = await start({ auth, password: 'third' });
    const second = await learn(device.xaddr, { credentialSets: [set('first'), set('third')] });
    expect(second).toMatchObject({ outcome: 'ok', facts: { credentialSetIndex: 1 } });
    device.requests.length = 0;
    const result = await learn(device.xaddr, { credentialSets: [set('first'), set('second'), set('third')] });
    expect(result).toMatchObject({
      outcome: 'unauthorized',
      reason: 'The device refused the user names and passwords tried.',
    });
    expect(tries(device)).toBe(2);
    expect(JSON.stringify(result)).not.toMatch(/first|second|third/);
  });

  it('stops at once when the device says that the account is locked', async () => {
    const device = await start();
    device.answers['GetDeviceInformation'] = ({ hasToken }, response) =>
      void sendSoap(
        response,
        fault('ter:NotAuthorized', hasToken ? 'User is locked, try again later' : 'Sender not authorized'),
        400,
      );
    const budget = { left: 5, max: 5 };
    const { outcome } = await learn(device.xaddr, { credentialSets: [set('a'), set('b')], budget });
    expect(outcome).toBe('locked');
    expect(tries(device)).toBe(1);
  });

  it('tries the next set when only the services are guarded', async () => {
    const device = await start({ auth: 'ws', open: ['GetDeviceInformation'] });
    const { facts } = await learn(device.xaddr, { credentialSets: [set('wrong'), set('secret')] });
    expect(facts).toMatchObject({ credentialSetIndex: 1, refusedSets: 1 });
  });

  it('tells what anybody may know when there are no credentials', async () => {
    const device = await start({ auth: 'ws' });
    const result = await learn(device.xaddr, { credentialSets: [] });
    expect(result).toMatchObject({
      outcome: 'unauthorized',
      reason: 'The device wants a user name and a password.',
    });
    expect(result.facts.clock?.skewMs).toBeTypeOf('number');
  });

  it.each<[string, Answer]>([
    ['not-onvif', send(200, '<html><body>nas</body></html>')],
    ['not-onvif', send(404, '')],
    ['garbage', send(200, 'lollipop')],
    ['garbage', send(200, Buffer.alloc(3_000_000, 'a'))],
    ['timeout', () => undefined],
  ])('a first answer makes it %s', async (outcome, answer) => {
    const device = await start({ answers: { GetSystemDateAndTime: answer } });
    const result = await learn(device.xaddr);
    expect(result.outcome).toBe(outcome);
    expect(result.reason).toMatch(/^[A-Z].*\.$/);
    expect(tries(device)).toBe(0);
  });

  it('keeps what it learned before the device broke down', async () => {
    const device = await start({ auth: 'ws', answers: { GetProfiles: '<x/>' } });
    const { outcome, facts } = await learn(device.xaddr);
    expect(outcome).toBe('garbage');
    expect(facts.information?.model).toBe('D-1');
    expect(facts.identity?.kind).toBe('serial');
  });

  it('says when nothing is there, when time is up, and when it lacks media', async () => {
    const gone = await startTestDevice();
    await gone.close();
    expect((await learn(gone.xaddr)).outcome).toBe('unreachable');
    const slow = await start({ answers: { GetProfiles: () => undefined } });
    expect((await learn(slow.xaddr, { deadlineMs: 5_000, totalMs: 300 })).outcome).toBe('timeout');
    const bare = await start({ answers: { GetServices: '<x/>' } });
    expect(await learn(bare.xaddr)).toMatchObject({
      outcome: 'unsupported',
      reason: expect.stringContaining('no media service'),
    });
    const basic = await start({ auth: 'basic' });
    expect(await learn(basic.xaddr)).toMatchObject({
      outcome: 'unsupported',
      reason: expect.stringContaining('Basic'),
    });
  });

  it('is told of the mistakes of its caller', async () => {
    await expect(learn('rtsp://x')).rejects.toMatchObject({ code: 'rejected' });
    await expect(learn('http://127.0.0.1/', { networks: ['x'] })).rejects.toMatchObject({ code: 'rejected' });
    await expect(learn('http://127.0.0.1:9/', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
