import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { interleave } from './framing.ts';
import { openReplaySession } from './replay-session.ts';
import { makePacket } from './testing.ts';

const sdp = [
  'v=0',
  'm=audio 0 RTP/AVP 0',
  'a=control:audio',
  'm=video 0 RTP/AVP 96',
  'a=rtpmap:96 H264/90000',
  'a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAHg==,aM4=;profile-level-id=42001E',
  'a=control:video',
].join('\r\n');
const start = Date.parse('2026-11-24T01:00:00Z');

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
});

type Answer = (request: string, socket: Socket) => string | Buffer | undefined;

/** A device that answers requests as `answer` says; undefined: not at all. */
async function device(answer: Answer): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      const request = bytes.toString('latin1');
      requests.push(request);
      const text = answer(request, socket);
      const number = /CSeq: (\d+)/.exec(request)?.[1] ?? '';
      if (text !== undefined)
        socket.write(typeof text === 'string' ? text.replace('CSeq: n', `CSeq: ${number}`) : text);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `rtsp://127.0.0.1:${(server.address() as AddressInfo).port}/replay`, requests };
}

const ok = (headers = '', body = '') =>
  `RTSP/1.0 200 OK\r\nCSeq: n\r\n${headers}${body ? `Content-Length: ${body.length}\r\n` : ''}\r\n${body}`;
const sound: Answer = (request) =>
  request.startsWith('DESCRIBE')
    ? ok('', sdp)
    : request.startsWith('SETUP')
      ? ok('Session: 42;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3\r\n')
      : ok();
const open = (url: string, limitBytes = 1_000_000, signal = new AbortController().signal) =>
  openReplaySession({
    source: { url, transport: 'tcp', credentials: { username: 'admin', password: 'Geheim#1' } },
    fromDeviceAt: start,
    untilDeviceAt: start + 5_000,
    limitBytes,
    signal,
  });

describe('a replay at a device', () => {
  it('asks as ONVIF wants it, reads only its video channel, and ends the session', async () => {
    const { url, requests } = await device((request, socket) => {
      if (!request.startsWith('PLAY')) return sound(request, socket);
      const packet = makePacket({ timestamp: 0, deviceAt: start, unit: 0x65 });
      const bye = Buffer.from('80c900011111111181cb000111111111', 'hex');
      setImmediate(() =>
        socket.write(Buffer.concat([interleave(2, packet), interleave(0, packet), interleave(3, bye)])),
      );
      return ok();
    });
    const session = await open(url);
    expect(session.video).toMatchObject({
      codec: 'h264',
      payloadType: 96,
      setup: ['sprop-parameter-sets=Z0IAHg==,aM4='],
    });
    const packets = [];
    for await (const packet of session.packets()) packets.push(packet);
    expect(packets).toHaveLength(1);
    expect(session.endedBy()).toBe('bye');
    await session.close();
    await session.close();
    expect(requests.map((request) => request.split(' ')[0])).toEqual([
      'DESCRIBE',
      'SETUP',
      'PLAY',
      'TEARDOWN',
    ]);
    const [, setup = '', play = '', teardown = ''] = requests;
    expect(setup).toContain(`SETUP ${url}/video RTSP/1.0`);
    expect(setup).toContain('Require: onvif-replay');
    expect(play).toContain('Range: clock=20261124T010000.000Z-20261124T010005.000Z');
    expect(play).toContain('Rate-Control: no');
    expect(teardown).toContain('Session: 42');
  });

  it('answers a Digest challenge, and does not try a refused password twice', async () => {
    const challenge =
      'RTSP/1.0 401 Unauthorized\r\nCSeq: n\r\nWWW-Authenticate: Digest realm="r", nonce="n1"\r\n\r\n';
    const { url, requests } = await device(() => challenge);
    await expect(open(url)).rejects.toMatchObject({ code: 'unauthorized' });
    expect(requests).toHaveLength(2);
    expect(requests[0]).not.toContain('Authorization');
    expect(requests[1]).toContain('Authorization: Digest username="admin"');
    expect(requests.join()).not.toContain('Geheim');
  });

  it.each<[string, Answer, string]>([
    ['hangs up', (_request, socket) => void socket.destroy(), 'protocol'],
    ['answers garbage', () => '\u0000\u0001garbage', 'protocol'],
    ['sends headers without end', () => `RTSP/1.0 200 OK\r\n${'X: y\r\n'.repeat(10_000)}`, 'too-large'],
    [
      'redirects elsewhere',
      () => 'RTSP/1.0 302 Moved\r\nCSeq: n\r\nLocation: rtsp://10.0.0.1/\r\n\r\n',
      'rejected',
    ],
    ['refuses', () => 'RTSP/1.0 457 Invalid Range\r\nCSeq: n\r\n\r\n', 'rejected'],
    ['has only sound', () => ok('', 'v=0\r\nm=audio 0 RTP/AVP 0\r\n'), 'no-media'],
    ['has JPEG', () => ok('', 'v=0\r\nm=video 0 RTP/AVP 26\r\n'), 'not-supported'],
    [
      'speaks UDP only',
      (request, socket) =>
        request.startsWith('SETUP')
          ? ok('Session: 1\r\nTransport: RTP/AVP;unicast\r\n')
          : sound(request, socket),
      'not-supported',
    ],
    [
      'opens no session',
      (request, socket) => (request.startsWith('SETUP') ? ok() : sound(request, socket)),
      'protocol',
    ],
    [
      'smuggles a request into an address',
      () =>
        ok('Content-Base: rtsp://x/\tDELETE\r\n', sdp.replace('control:video', 'control:rtsp://a/\u0007')),
      'protocol',
    ],
  ])('fails clearly when the device %s', async (_what, answer, code) => {
    const { url } = await device(answer);
    await expect(open(url)).rejects.toMatchObject({ code });
  });

  it('stops at once when it is cancelled, though the device never answers', async () => {
    const { url } = await device(() => undefined);
    const stop = new AbortController();
    const opening = open(url, 1_000, stop.signal);
    setTimeout(() => stop.abort(), 50);
    const startedAt = performance.now();
    await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  it('is not flooded', async () => {
    const { url } = await device((request, socket) => {
      if (request.startsWith('PLAY'))
        setImmediate(() => socket.write(interleave(2, Buffer.alloc(60_000, 0x80))));
      return sound(request, socket);
    });
    // It may be over before PLAY is answered, or after.
    const readOne = async () => {
      const session = await open(url, 30_000);
      try {
        return await session.packets().next();
      } finally {
        await session.close();
      }
    };
    await expect(readOne()).rejects.toMatchObject({ code: 'too-large' });
  });
});
