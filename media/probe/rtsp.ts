import type { Socket } from 'node:net';
import { MediaError } from '../errors.ts';
import { checkedUrl, type StreamSource } from '../source.ts';
import { authorizationFor } from './rtsp-auth.ts';
import { readSdp, type OfferedMedium } from './sdp.ts';
import { openTcp } from './tcp.ts';

/** What a stream says it offers, and what the question cost. */
export interface StreamDescription {
  media: OfferedMedium[];
  /** The `Server` header, if any. */
  server?: string;
  connectMs: number;
  describeMs: number;
}

interface Reply {
  status: number;
  reason: string;
  headers: Map<string, string[]>;
  body: string;
}

const REPLY_LIMIT_BYTES = 64 * 1024;
const DEFAULT_PORT = 554;

/**
 * Asks a stream for its description (OPTIONS is skipped: DESCRIBE alone tells more). No session is opened, so it does not
 * use up one of the camera's few. The password is sent only as an answer to a challenge, and once. Source: RFC 2326, 10.2.
 * @throws MediaError `unreachable`, `timeout`, `cancelled`, `unauthorized`, `rejected` (status in `details.status`),
 *   `protocol` (not RTSP), `too-large`, `no-media` (nothing offered)
 */
export async function describeStream(
  source: StreamSource,
  options: { deadlineMs: number; signal?: AbortSignal },
): Promise<StreamDescription> {
  const url = checkedUrl(source);
  const startedAt = performance.now();
  const socket = await openTcp({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || DEFAULT_PORT),
    ...options,
  });
  const connectMs = performance.now() - startedAt;
  const onAbort = () => socket.destroy(new MediaError('cancelled', 'the RTSP request was cancelled'));
  const leftMs = options.deadlineMs - connectMs;
  const timer = setTimeout(
    () => socket.destroy(new MediaError('timeout', 'the RTSP server did not answer')),
    leftMs,
  );
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const read = replies(socket);
    let reply = await ask(socket, read, source.url, 1);
    if (reply.status === 401 && source.credentials) {
      const request = { method: 'DESCRIBE', uri: source.url, ...source.credentials, nc: 1 };
      const authorization = authorizationFor(reply.headers.get('www-authenticate') ?? [], request);
      if (authorization === undefined)
        throw new MediaError('unauthorized', 'the camera wants an unknown kind of log-in');
      reply = await ask(socket, read, source.url, 2, authorization);
    }
    if (reply.status === 401 || reply.status === 403) {
      throw new MediaError('unauthorized', `the camera refused the log-in (${reply.status})`, {
        status: reply.status,
      });
    }
    if (reply.status !== 200) {
      throw new MediaError('rejected', `DESCRIBE: ${reply.status} ${reply.reason}`, { status: reply.status });
    }
    const media = readSdp(reply.body);
    if (media.length === 0) throw new MediaError('no-media', 'the stream offers neither video nor audio');
    const server = reply.headers.get('server')?.[0];
    const describeMs = performance.now() - startedAt - connectMs;
    return { media, ...(server === undefined ? {} : { server }), connectMs, describeMs };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

async function ask(
  socket: Socket,
  read: () => Promise<Reply>,
  url: string,
  sequence: number,
  authorization?: string,
): Promise<Reply> {
  const lines = [
    `DESCRIBE ${url} RTSP/1.0`,
    `CSeq: ${sequence}`,
    'Accept: application/sdp',
    'User-Agent: weian',
  ];
  if (authorization !== undefined) lines.push(`Authorization: ${authorization}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return read();
}

/** Reads replies one after another from the socket, never holding more than the limit. */
function replies(socket: Socket): () => Promise<Reply> {
  let buffer = Buffer.alloc(0);
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    if (buffer.length > REPLY_LIMIT_BYTES)
      socket.destroy(new MediaError('too-large', 'the RTSP reply is too large'));
    wake?.();
  });
  socket.on('error', (error) => {
    failure ??=
      error instanceof MediaError
        ? error
        : new MediaError('protocol', `the connection broke: ${error.message}`);
  });
  socket.on('close', () => {
    failure ??= new MediaError('protocol', 'the RTSP server hung up');
    wake?.();
  });
  return async () => {
    for (;;) {
      const taken = takeReply(buffer);
      if (taken) {
        buffer = buffer.subarray(taken.length);
        return taken.reply;
      }
      if (failure) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

function takeReply(buffer: Buffer): { reply: Reply; length: number } | undefined {
  const head = buffer.toString('latin1');
  if (head.length >= 8 && !head.startsWith('RTSP/1.0') && !head.startsWith('RTSP/2.0')) {
    throw new MediaError('protocol', `not an RTSP server: it answered ${JSON.stringify(head.slice(0, 40))}`);
  }
  const headEnd = head.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [first = '', ...lines] = head.slice(0, headEnd).split('\r\n');
  const [, status, reason = ''] = /^RTSP\/\d\.\d (\d{3}) ?(.*)$/.exec(first) ?? [];
  if (status === undefined) throw new MediaError('protocol', 'the RTSP status line is misshapen');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  const length = Number(headers.get('content-length')?.[0] ?? 0);
  if (!Number.isSafeInteger(length) || length < 0)
    throw new MediaError('protocol', 'the content length is misshapen');
  if (length > REPLY_LIMIT_BYTES)
    throw new MediaError('too-large', 'the RTSP reply is too large', { length });
  const end = headEnd + 4 + length;
  if (buffer.length < end) return undefined;
  return {
    reply: {
      status: Number(status),
      reason: reason.slice(0, 100),
      headers,
      body: buffer.toString('utf8', headEnd + 4, end),
    },
    length: end,
  };
}
