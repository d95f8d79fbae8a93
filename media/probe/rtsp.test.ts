import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { describeStream } from './rtsp.ts';

let server: Server | undefined;
const sockets = new Set<Socket>();

/** A camera that answers each request with `answer`, and its address. */
async function camera(answer: (request: string, count: number) => string | undefined): Promise<string> {
  const listening = createServer((socket) => {
    sockets.add(socket);
    let count = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      count += 1;
      const text = answer(data.toString(), count);
      if (text !== undefined) socket.write(text);
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `rtsp://127.0.0.1:${(listening.address() as AddressInfo).port}/stream`;
}

const reply = (status: string, headers: string[] = [], body = '') =>
  [`RTSP/1.0 ${status}`, 'CSeq: 1', ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n');
const SDP = 'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\nm=audio 0 RTP/AVP 8\r\na=control:x\r\n';
const describeAt = (url: string, credentials?: { username: string; password: string }) =>
  describeStream({ url, transport: 'tcp', ...(credentials ? { credentials } : {}) }, { deadlineMs: 300 });

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((resolve) => server?.close(resolve));
});

describe('describe', () => {
  it('lists what is offered, with static payload types', async () => {
    const description = await describeAt(await camera(() => reply('200 OK', ['Server: Cam'], SDP)));
    expect(description).toMatchObject({
      server: 'Cam',
      media: [
        { kind: 'video', encoding: 'H265', clockHz: 90000 },
        { kind: 'audio', encoding: 'PCMA', clockHz: 8000 },
      ],
    });
  });

  it('sends the password only as an answer, and only once', async () => {
    const requests: string[] = [];
    const url = await camera((request) => {
      requests.push(request);
      return reply('401 Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n"']);
    });
    await expect(describeAt(url, { username: 'u', password: 'secret' })).rejects.toMatchObject({
      code: 'unauthorized',
    });
    expect(requests).toHaveLength(2);
    expect(requests[0]).not.toContain('Authorization');
    expect(requests[1]).toContain('Authorization: Digest');
    expect(requests.join()).not.toContain('secret');
  });

  it.each([
    ['a wrong path', reply('404 Not Found'), 'rejected'],
    ['no log-in given', reply('401 Unauthorized'), 'unauthorized'],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol'],
    ['garbage', '\0\x01\x02\x03\x04\x05\x06\x07\x08', 'protocol'],
    ['an endless reply', `RTSP/1.0 200 OK\r\nX: ${'a'.repeat(100_000)}`, 'too-large'],
    ['a huge length', 'RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n', 'too-large'],
    ['an empty offer', reply('200 OK', [], 'v=0\r\n'), 'no-media'],
    ['silence', undefined, 'timeout'],
    ['half a reply', 'RTSP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nv=0', 'timeout'],
  ])('tells %s apart', async (_name, answer, code) => {
    await expect(describeAt(await camera(() => answer))).rejects.toMatchObject({ code });
  });

  it('tells a closed port apart, and refuses other addresses', async () => {
    await expect(describeAt('rtsp://127.0.0.1:1/x')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(describeAt('http://127.0.0.1/x')).rejects.toMatchObject({ code: 'not-supported' });
    await expect(describeAt('rtsp://u:p@127.0.0.1/x')).rejects.toMatchObject({ code: 'not-supported' });
  });
});
