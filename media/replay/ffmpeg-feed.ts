import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { MediaError } from '../errors.ts';
import { createRtspReader, interleave, type RtspItem } from './framing.ts';

/** A one-time RTSP address on loopback from which ffmpeg reads what is written here. */
export interface FfmpegFeed {
  url: string;
  /** Resolves when ffmpeg plays; nothing may be written before. @throws MediaError `timeout`, `protocol`, `internal` (ffmpeg went away) */
  ready(): Promise<void>;
  /** Sends one RTP packet; resolves when more may be sent. @throws MediaError `internal` when ffmpeg has gone away */
  write(packet: Buffer): Promise<void>;
  /** Says BYE: ffmpeg finishes its file and leaves. */
  end(): void;
  /** Safe to repeat. */
  close(): void;
}

const READY_MS = 10_000;
/** Of the packets that `write` sends. */
const SOURCE = 0x57454941;
/** An empty receiver report, which a compound must begin with (ffmpeg passes over a bare BYE), and BYE. Source: RFC 3550 section 6 */
const BYE = Buffer.from('80c900015745494181cb000157454941', 'hex');

/**
 * Opens the address. ffmpeg can neither send the headers of an ONVIF replay nor keep its times; so the replay is held here, and ffmpeg is
 * given what it can read: one video, no log-in, RTP over TCP. Only the first connection that knows the address is served.
 */
export async function openFfmpegFeed(sdp: string): Promise<FfmpegFeed> {
  const path = `/${randomBytes(12).toString('hex')}`;
  let client: Socket | undefined;
  let failure: MediaError | undefined;
  let isPlaying = false;
  let wake: (() => void) | undefined;
  const settle = () => wake?.();
  const fail = (error: MediaError) => {
    failure ??= error;
    settle();
  };

  const server = createServer((socket) => {
    socket.on('error', (error) =>
      fail(new MediaError('internal', `ffmpeg's connection broke: ${error.message}`)),
    );
    const reader = createRtspReader();
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const item of reader.push(bytes)) answer(socket, item);
      } catch (error) {
        socket.destroy();
        if (socket === client)
          fail(error instanceof MediaError ? error : new MediaError('internal', String(error)));
      }
    });
    socket.on('drain', settle);
    socket.on('close', () => {
      if (socket === client) fail(new MediaError('internal', 'ffmpeg has gone away'));
    });
  });

  function answer(socket: Socket, item: RtspItem): void {
    if (item.kind === 'frame') return; // ffmpeg's receiver reports
    const [method = '', address = ''] = item.start.split(' ');
    const isKnown = URL.canParse(address) && new URL(address).pathname.startsWith(path);
    if (!isKnown || (client && client !== socket)) {
      socket.destroy();
      return;
    }
    client = socket;
    const headers = [`CSeq: ${item.headers.get('cseq')?.[0] ?? '0'}`, 'Session: 1'];
    let body = '';
    if (method === 'OPTIONS') headers.push('Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN');
    if (method === 'DESCRIBE') {
      body = sdp;
      headers.push('Content-Type: application/sdp', `Content-Base: ${address}/`);
    }
    if (method === 'SETUP') headers.push('Transport: RTP/AVP/TCP;unicast;interleaved=0-1');
    if (body !== '') headers.push(`Content-Length: ${Buffer.byteLength(body)}`);
    socket.write(`RTSP/1.0 200 OK\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
    if (method === 'PLAY') {
      isPlaying = true;
      server.close(); // one client is all there is
      settle();
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  async function until(isDone: () => boolean, deadlineMs: number): Promise<void> {
    const endsAt = performance.now() + deadlineMs;
    while (!isDone()) {
      if (failure) throw failure;
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) throw new MediaError('timeout', 'ffmpeg does not read the replay');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    url: `rtsp://127.0.0.1:${port}${path}`,
    ready: () => until(() => isPlaying, READY_MS),
    async write(packet) {
      if (failure) throw failure;
      const socket = client;
      if (!socket || !isPlaying) throw new MediaError('internal', 'ffmpeg does not play yet');
      packet.writeUInt32BE(SOURCE, 8);
      if (!socket.write(interleave(0, packet))) await until(() => !socket.writableNeedDrain, READY_MS);
    },
    end() {
      client?.write(interleave(1, BYE));
    },
    close() {
      client?.destroy();
      server.close();
    },
  };
}
