import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '#media/log.ts';
import { openDevice, type DeviceOptions } from './device.ts';
import {
  fault,
  sendSoap,
  soap,
  startTestDevice,
  timeAnswer,
  type Answer,
  type TestDevice,
  type TestDeviceOptions,
} from './test-device.ts';

/*
 * Devices that misbehave. Each goes through both ways of asking: GetDeviceInformation by node-onvif-ts where a token is wanted, by our
 * own client where none or Digest is. The rows of node-onvif-ts's known defects are named by their symptom.
 */

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function start(options: TestDeviceOptions): Promise<TestDevice> {
  const device = await startTestDevice(options);
  closers.push(device.close);
  return device;
}

const credentials = { username: 'admin', password: 'secret' };
const face = ({ xaddr }: { xaddr: string }, options: Partial<DeviceOptions> = {}) =>
  openDevice({ xaddr, credentials }, { log: silentLog, deadlineMs: 700, ...options });

const raw =
  (text: string | Buffer, status = 200): Answer =>
  (_, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/soap+xml' }).end(text);
    return undefined;
  };

/** Bytes that arrive one at a time, so that no pause is ever long. */
const trickle: Answer = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/soap+xml' });
  const timer = setInterval(() => response.write('<'), 50);
  response.on('close', () => clearInterval(timer));
  return undefined;
};

const good = soap(
  '<tds:GetDeviceInformationResponse><tds:Model>M</tds:Model></tds:GetDeviceInformationResponse>',
);

const cases: [symptom: string, answer: Answer, code: string][] = [
  ['an empty answer', raw(''), 'protocol'],
  ['a web page', raw('<!DOCTYPE html><html><body>Login</body></html>'), 'protocol'],
  ['an answer cut short', raw(good.slice(0, -30)), 'protocol'],
  ['an answer cut inside a tag', raw(good.slice(0, 150)), 'protocol'],
  ['garbage', raw(Buffer.from(Array.from({ length: 4096 }, (_, n) => (n * 7919) & 255))), 'protocol'],
  ['well-formed XML that is not SOAP', raw('<a><b>1</b></a>'), 'protocol'],
  ['the answer to another question', raw(soap('<tds:GetScopesResponse/>')), 'protocol'],
  ['60,000 nested elements', raw(soap('<a>'.repeat(60_000) + '</a>'.repeat(60_000))), 'too-large'],
  [
    '60,000 nested elements inside the right answer',
    raw(
      soap(
        `<tds:GetDeviceInformationResponse>${'<a>'.repeat(60_000)}${'</a>'.repeat(60_000)}</tds:GetDeviceInformationResponse>`,
      ),
    ),
    'too-large',
  ],
  ['70,000 elements side by side', raw(soap('<a/>'.repeat(70_000))), 'too-large'],
  ['an entity bomb', raw(`<!DOCTYPE x [<!ENTITY a "${'a'.repeat(100)}">]><x>&a;</x>`), 'protocol'],
  ['a body of 3 MB', raw(soap(`<a>${'x'.repeat(3_000_000)}</a>`)), 'too-large'],
  ['a body that trickles beyond the deadline', trickle, 'timeout'],
  ['no answer at all', () => undefined, 'timeout'],
  ['a connection closed half-way', (_, response) => void response.socket?.destroy(), 'protocol'],
  [
    'a redirect to another host',
    (_, response) => void response.writeHead(302, { location: 'http://127.0.0.9/x' }).end(),
    'protocol',
  ],
  [
    'a fault with xml:lang and status 200',
    (_, response) => void sendSoap(response, fault('ter:InvalidArgVal', '参数错误', 'xml:lang="zh"')),
    'rejected',
  ],
  ['a fault that says it cannot', fault('ter:ActionNotSupported', 'no'), 'not-supported'],
  [
    'a lock-out',
    (_, response) => void sendSoap(response, fault('ter:NotAuthorized', 'The account is locked'), 400),
    'locked',
  ],
  [
    'a SOAP 1.1 fault',
    '<env:Fault><faultcode>env:Client</faultcode><faultstring>bad</faultstring></env:Fault>',
    'rejected',
  ],
];

describe.each(['ws', 'digest', 'none'] as const)('a device with log-in %s that sends', (auth) => {
  it.each(cases)('%s', async (_symptom, answer, code) => {
    const device = await start({ auth, answers: { GetDeviceInformation: answer } });
    const startedAt = Date.now();
    await expect(face(device).getInformation()).rejects.toMatchObject({ name: 'MediaError', code });
    expect(Date.now() - startedAt).toBeLessThan(15_000);
    // Whatever it sent, the device is still there and the face still works.
    device.answers['GetDeviceInformation'] =
      '<tds:GetDeviceInformationResponse><tds:Model>M</tds:Model></tds:GetDeviceInformationResponse>';
    expect(await face(device).getInformation()).toMatchObject({ model: 'M' });
  });
});

describe('defects seen in node-onvif-ts', () => {
  it('keeps the reason of a fault with xml:lang, sent with status 200', async () => {
    const device = await start({ auth: 'ws' });
    device.answers['GetDeviceInformation'] = (_, response) =>
      void sendSoap(response, fault('ter:InvalidArgVal', '参数错误', 'xml:lang="zh"'));
    await expect(face(device).getInformation()).rejects.toThrow('参数错误');
  });

  it('an element named __proto__ or constructor harms nothing', async () => {
    const device = await start({ auth: 'ws' });
    device.answers['GetDeviceInformation'] =
      '<tds:GetDeviceInformationResponse><__proto__ x="1"><polluted>yes</polluted></__proto__><constructor><prototype><polluted>1</polluted></prototype></constructor>' +
      '<tds:Model __proto__="q">M</tds:Model></tds:GetDeviceInformationResponse>';
    expect((await face(device).getInformation()).model).toBe('M');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('a skew measured on the 31st, with the device in February, is right', async () => {
    vi.useFakeTimers({ now: Date.UTC(2025, 0, 31, 12), toFake: ['Date'] });
    try {
      const deviceAt = Date.UTC(2025, 1, 5, 12);
      const device = await start({ auth: 'ws', skewMs: deviceAt - Date.now() });
      const camera = face(device);
      expect(Math.abs((await camera.getClock()).skewMs - 5 * 86_400_000)).toBeLessThan(1_000);
      expect((await camera.getInformation()).model).toBe('D-1');
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not drop the query of a service address', async () => {
    const device = await start({ auth: 'ws' });
    const camera = openDevice({ xaddr: `${device.xaddr}?id=7`, credentials }, { log: silentLog });
    await camera.getInformation();
    expect(device.requests.every(({ path }) => path === '/onvif/device_service?id=7')).toBe(true);
  });

  it('prints nothing', async () => {
    const spies = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name));
    const device = await start({ auth: 'ws', answers: { GetDeviceInformation: raw('lollipop') } });
    await expect(face(device).getInformation()).rejects.toMatchObject({ code: 'protocol' });
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });

  it('reads GB2312 text', async () => {
    const device = await start({ auth: 'ws' });
    const gb = Buffer.concat([
      Buffer.from(
        '<?xml version="1.0" encoding="GB2312"?><E:Envelope xmlns:E="e"><E:Body><GetDeviceInformationResponse><Model>',
      ),
      Buffer.from([0xb2, 0xa1, 0xb7, 0xbf]),
      Buffer.from('</Model></GetDeviceInformationResponse></E:Body></E:Envelope>'),
    ]);
    device.answers['GetDeviceInformation'] = raw(gb);
    expect((await face(device).getInformation()).model).toBe('病房');
  });
});

describe('connections', () => {
  it('nothing at the address is unreachable', async () => {
    const device = await startTestDevice();
    await device.close();
    await expect(face(device).getClock()).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('a socket that accepts and stays silent is a timeout, also for the first question', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(
      () =>
        new Promise((resolve) => {
          for (const socket of sockets) socket.destroy();
          server.close(() => resolve());
        }),
    );
    const { port } = server.address() as AddressInfo;
    const startedAt = Date.now();
    await expect(
      face({ xaddr: `http://127.0.0.1:${port}/onvif/device_service` }).getInformation(),
    ).rejects.toMatchObject({ code: 'timeout' });
    expect(Date.now() - startedAt).toBeLessThan(8_000);
  });

  it('a stop asked by the caller ends both kinds of request at once', async () => {
    const device = await start({
      auth: 'ws',
      answers: { GetDeviceInformation: ({ hasToken }) => (hasToken ? undefined : timeAnswer(0)) },
    });
    const stop = new AbortController();
    const pending = face(device, { signal: stop.signal, deadlineMs: 60_000 }).getInformation();
    setTimeout(() => stop.abort(), 100);
    await expect(pending).rejects.toMatchObject({ code: 'cancelled' });
  });
});
