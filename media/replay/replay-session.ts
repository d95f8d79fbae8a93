import type { Socket } from 'node:net';
import { MediaError } from '../errors.ts';
import { authorizationFor } from '../probe/rtsp-auth.ts';
import { openTcp } from '../probe/tcp.ts';
import { checkedUrl, type StreamSource } from '../source.ts';
import { createRtspReader, type RtspItem } from './framing.ts';
import { readReplaySdp, type ReplayVideo } from './replay-sdp.ts';
import { hasBye } from './rtp.ts';

/** A replay under way at a device. */
export interface ReplaySession {
  video: ReplayVideo;
  /**
   * RTP packets of the video as they come, until the device says it is done, hangs up or falls silent (`endedBy`). The device is held back
   * while the caller does not read. @throws MediaError `protocol`, `too-large`, `timeout` (nothing at all came), `cancelled`
   */
  packets(): AsyncGenerator<Buffer, void, void>;
  endedBy(): 'bye' | 'closed' | 'silence' | undefined;
  /** Ends the session at the device, which has few of them, and hangs up. Safe to repeat; never throws. */
  close(): Promise<void>;
}

type Message = Extract<RtspItem, { kind: 'message' }>;

const REQUEST_MS = 8_000;
const SILENCE_MS = 6_000;
const TEARDOWN_MS = 1_500;
const KEEP_ALIVE_MS = 20_000;
/** Read from the device but not taken yet; beyond it the device is held back. */
const QUEUE_LIMIT_BYTES = 4_000_000;
const DEFAULT_PORT = 554;

/**
 * Opens a replay: DESCRIBE, SETUP over TCP, PLAY of a range of the device's own time, as fast as the device can. The password is sent only
 * as an answer to a challenge. Redirections are refused: they could lead anywhere.
 * @throws MediaError `unreachable`, `timeout`, `unauthorized`, `rejected` (status in the details), `protocol`, `too-large`, `no-media`,
 *   `not-supported` (codec, no TCP), `cancelled`. Source: ONVIF Streaming specification 6 (replay); RFC 2326
 */
export async function openReplaySession(options: {
  source: StreamSource;
  fromDeviceAt: number;
  untilDeviceAt: number;
  /** Of everything that is received. */
  limitBytes: number;
  signal: AbortSignal;
}): Promise<ReplaySession> {
  const { source, signal, limitBytes } = options;
  const url = checkedUrl(source);
  const port = Number(url.port || DEFAULT_PORT);
  const socket = await openTcp({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    deadlineMs: REQUEST_MS,
    signal,
  });
  const wire = createWire(socket, { limitBytes, signal });
  let challenges: readonly string[] | undefined;
  let nonceUses = 0;
  let sequence = 0;
  let sessionId: string | undefined;
  let aggregate = source.url;
  let isClosed = false;

  function write(method: string, uri: string, headers: Readonly<Record<string, string>>): number {
    const lines = [`${method} ${uri} RTSP/1.0`, `CSeq: ${(sequence += 1)}`, 'User-Agent: weian'];
    if (sessionId !== undefined) lines.push(`Session: ${sessionId}`);
    if (challenges && source.credentials) {
      const authorization = authorizationFor(challenges, {
        method,
        uri,
        ...source.credentials,
        nc: (nonceUses += 1),
      });
      if (authorization === undefined)
        throw new MediaError('unauthorized', 'the device wants an unknown kind of log-in');
      lines.push(`Authorization: ${authorization}`);
    }
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    return sequence;
  }

  async function ask(
    method: string,
    uri: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Message> {
    for (let tries = 0; ; tries += 1) {
      const reply = await wire.reply(write(method, uri, headers), REQUEST_MS);
      const status = statusOf(reply);
      const wanted = reply.headers.get('www-authenticate');
      // A second answer is given only to a new nonce of a log-in that was accepted before: passwords are not tried twice.
      const mayAnswer =
        source.credentials &&
        wanted &&
        (challenges === undefined || /stale\s*=\s*"?true/i.test(wanted.join()));
      if (status === 401 && mayAnswer && tries === 0) {
        challenges = wanted;
        nonceUses = 0;
        continue;
      }
      if (status === 401 || status === 403)
        throw new MediaError('unauthorized', `the device refused the log-in (${status})`, { status });
      if (status !== 200) throw new MediaError('rejected', `${method}: ${status}`, { status, method });
      return reply;
    }
  }

  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    clearInterval(keepAlive);
    wire.discard();
    if (sessionId !== undefined && !socket.destroyed) {
      try {
        await wire.reply(write('TEARDOWN', aggregate, {}), TEARDOWN_MS);
      } catch (error) {
        if (!(error instanceof MediaError)) throw error; // a device that is gone has ended the session itself
      }
    }
    wire.close();
  }

  let keepAlive: NodeJS.Timeout | undefined;
  try {
    const described = await ask('DESCRIBE', source.url, {
      Accept: 'application/sdp',
      Require: 'onvif-replay',
    });
    const video = readReplaySdp(described.body);
    const base = described.headers.get('content-base')?.[0] ?? source.url;
    aggregate = asRtsp(base) ?? source.url;
    const track = trackAddress(aggregate, video.control);
    const set = await ask('SETUP', track, {
      Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1',
      Require: 'onvif-replay',
    });
    sessionId = /^[^;\s]{1,256}/.exec(set.headers.get('session')?.[0] ?? '')?.[0];
    const channel = /interleaved=(\d{1,3})/.exec(set.headers.get('transport')?.[0] ?? '')?.[1];
    if (sessionId === undefined) throw new MediaError('protocol', 'the device opened no session');
    if (channel === undefined) throw new MediaError('not-supported', 'the device does not replay over TCP');
    wire.listen(Number(channel));
    await ask('PLAY', aggregate, {
      Require: 'onvif-replay',
      Range: `clock=${clockText(options.fromDeviceAt)}-${clockText(options.untilDeviceAt)}`,
      'Rate-Control': 'no',
    });
    keepAlive = setInterval(() => write('OPTIONS', aggregate, {}), KEEP_ALIVE_MS);
    return { video, packets: wire.packets, endedBy: wire.endedBy, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A clock instant as RTSP writes it, cut to milliseconds: `20261124T010003.400Z`. Source: RFC 2326 section 3.7 */
const clockText = (at: number): string => new Date(at).toISOString().replace(/[-:]/g, '');

const statusOf = (reply: Message): number => Number(reply.start.slice(9, 12));

/** Only what can stand in a request line. */
const asRtsp = (text: string): string | undefined =>
  /^rtsp:\/\/[!-~]{1,2000}$/.test(text) ? text : undefined;

function trackAddress(base: string, control: string | undefined): string {
  if (control === undefined || control === '*') return base;
  const address = asRtsp(control) ?? `${base.replace(/\/$/, '')}/${control}`;
  const checked = asRtsp(address);
  if (checked === undefined) throw new MediaError('protocol', 'the address of the video is misshapen');
  return checked;
}

/** Sorts what comes from the device: replies by their number, packets of the one channel that is listened to. */
function createWire(socket: Socket, { limitBytes, signal }: { limitBytes: number; signal: AbortSignal }) {
  const reader = createRtspReader();
  const replies = new Map<number, Message>();
  const queue: Buffer[] = [];
  let queuedBytes = 0;
  let receivedBytes = 0;
  let channel: number | undefined;
  let isDiscarding = false;
  let failure: MediaError | undefined;
  let end: 'bye' | 'closed' | 'silence' | undefined;
  let wake: (() => void) | undefined;

  const fail = (error: MediaError) => {
    failure ??= error;
    socket.destroy();
    wake?.();
  };
  const onAbort = () => fail(new MediaError('cancelled', 'the replay was cancelled'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  function take(item: RtspItem): void {
    if (item.kind === 'message') {
      const number = Number(item.headers.get('cseq')?.[0]);
      // Replies nobody waits for (to keep-alive) and requests of the device are dropped; two at most wait at any time.
      if (item.start.startsWith('RTSP/') && Number.isSafeInteger(number) && replies.size < 4)
        replies.set(number, item);
    } else if (channel !== undefined && item.channel === channel && !isDiscarding) {
      queue.push(item.data);
      queuedBytes += item.data.length;
    } else if (channel !== undefined && item.channel === channel + 1 && hasBye(item.data)) end ??= 'bye';
  }
  socket.on('data', (bytes: Buffer) => {
    receivedBytes += bytes.length;
    if (receivedBytes > limitBytes)
      return fail(new MediaError('too-large', 'the replay is larger than allowed', { limitBytes }));
    try {
      for (const item of reader.push(bytes)) take(item);
    } catch (error) {
      return fail(error instanceof MediaError ? error : new MediaError('internal', String(error)));
    }
    if (queuedBytes > QUEUE_LIMIT_BYTES) socket.pause();
    wake?.();
  });
  socket.on('error', (error) => fail(new MediaError('protocol', `the connection broke: ${error.message}`)));
  socket.on('close', () => {
    end ??= 'closed';
    wake?.();
  });

  /** Waits for the next thing to happen, at most until `endsAt` (performance clock). @returns whether something did */
  async function wait(endsAt: number): Promise<boolean> {
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), leftMs);
      const settle = (isWoken: boolean) => {
        clearTimeout(timer);
        wake = undefined;
        resolve(isWoken);
      };
      wake = () => settle(true);
    });
  }

  return {
    listen(number: number): void {
      channel = number;
    },
    endedBy: () => end,
    async reply(number: number, deadlineMs: number): Promise<Message> {
      const endsAt = performance.now() + deadlineMs;
      for (;;) {
        const reply = replies.get(number);
        replies.delete(number);
        if (reply) return reply;
        if (failure) throw failure;
        if (end === 'closed') throw new MediaError('protocol', 'the device hung up');
        if (!(await wait(endsAt)))
          throw new MediaError('timeout', 'the device did not answer the replay request');
      }
    },
    async *packets(): AsyncGenerator<Buffer, void, void> {
      let hasCome = false;
      for (;;) {
        const packet = queue.shift();
        if (packet) {
          hasCome = true;
          queuedBytes -= packet.length;
          if (queuedBytes < QUEUE_LIMIT_BYTES / 2) socket.resume();
          yield packet;
          continue;
        }
        if (failure) throw failure;
        if (end) return;
        if (await wait(performance.now() + SILENCE_MS)) continue;
        if (!hasCome) throw new MediaError('timeout', 'the device accepted the replay and sent nothing');
        end = 'silence';
      }
    },
    /** What still comes is thrown away, so that the reply behind it can be read. */
    discard(): void {
      isDiscarding = true;
      queue.length = 0;
      queuedBytes = 0;
      replies.clear();
      socket.resume();
    },
    close(): void {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    },
  };
}
