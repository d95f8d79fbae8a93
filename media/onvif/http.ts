import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { MediaError } from '#media/errors.ts';

/** One HTTP request to a device. Nothing here adds credentials; callers set the Authorization header. */
export interface HttpRequest {
  url: URL;
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** From the first byte of the connect to the last byte of the answer. */
  deadlineMs: number;
  maxBytes: number;
  /** SHA-256 of the certificate (hex pairs with colons) that alone is accepted; without it any certificate is, and its fingerprint returned. */
  tlsFingerprint?: string;
  signal?: AbortSignal;
}

/** A whole answer, of any status. `tlsFingerprint` is set for https. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  tlsFingerprint?: string;
}

/**
 * Sends one request on a connection of its own (old cameras drop kept connections in ways that look like failures). Redirects are
 * not followed: a device must not be able to send our credentials elsewhere.
 * The certificate is checked before a byte of the request leaves. Cameras sign their own certificates, so trust is the fingerprint
 * accepted when the device was registered, not an authority.
 * @throws MediaError 'timeout', 'unreachable', 'too-large', 'protocol' (not HTTP, not TLS, another certificate: `details.reason`
 * 'tls-fingerprint' with `details.tlsFingerprint`), 'cancelled'
 */
export async function exchange(request: HttpRequest): Promise<HttpAnswer> {
  const { deadlineMs, signal } = request;
  const { host } = request.url;
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  const onAbort = (): void => stop(new MediaError('cancelled', `the request to ${host} was cancelled`));
  const timer = setTimeout(
    () => stop(new MediaError('timeout', `${host} did not answer fully within ${deadlineMs} ms`)),
    deadlineMs,
  );
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  let socket: Socket | undefined;
  try {
    return await Promise.race([stopped, converse(request, (opened) => (socket = opened))]);
  } catch (error) {
    throw toMediaError(error, host);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    socket?.destroy();
  }
}

/** The exchange without its limits of time; `onSocket` gets the connection at once, so that the caller can end it at any moment. */
async function converse(request: HttpRequest, onSocket: (socket: Socket) => void): Promise<HttpAnswer> {
  const { socket, tlsFingerprint } = await connect(request, onSocket);
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    socket.on('error', reject);
    const outgoing = httpRequest(request.url.href.replace(/^https:/, 'http:'), {
      method: request.method,
      headers: {
        host: request.url.host,
        connection: 'close',
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
      },
      createConnection: () => socket,
      maxHeaderSize: 16_384,
    });
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    outgoing.end(request.body);
  });
  const body = await collect(incoming, request.maxBytes, request.url.host);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body, tlsFingerprint };
}

function connect(
  { url, tlsFingerprint: pinned }: HttpRequest,
  onSocket: (socket: Socket) => void,
): Promise<{ socket: Socket; tlsFingerprint?: string }> {
  const isTls = url.protocol === 'https:';
  const address = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (isTls ? 443 : 80),
  };
  return new Promise((resolve, reject) => {
    if (!isTls) {
      const socket = netConnect(address, () => resolve({ socket }));
      socket.on('error', reject);
      onSocket(socket);
      return;
    }
    const socket = tlsConnect({ ...address, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }, () => {
      const tlsFingerprint = socket.getPeerCertificate().fingerprint256;
      if (pinned === undefined || isSameFingerprint(tlsFingerprint, pinned))
        resolve({ socket, tlsFingerprint });
      else {
        const message = `${url.host} shows another TLS certificate than the one accepted before`;
        reject(new MediaError('protocol', message, { reason: 'tls-fingerprint', tlsFingerprint }));
      }
    });
    socket.on('error', reject);
    onSocket(socket);
  });
}

const isSameFingerprint = (a: string, b: string): boolean =>
  a.replaceAll(':', '').toLowerCase() === b.replaceAll(':', '').toLowerCase();

async function collect(incoming: IncomingMessage, maxBytes: number, host: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const refuse = () => new MediaError('too-large', `${host} sent more than ${maxBytes} bytes`, { maxBytes });
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw refuse();
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw refuse();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);

/** A socket, TLS or HTTP parser error as a MediaError that names `host`; a MediaError as it is. */
export function toMediaError(error: unknown, host: string): MediaError {
  if (error instanceof MediaError) return error;
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  if (UNREACHABLE.has(code))
    return new MediaError('unreachable', `nothing answers at ${host} (${code})`, { errno: code }, options);
  if (code === 'ETIMEDOUT')
    return new MediaError('timeout', `${host} did not answer the connection`, { errno: code }, options);
  if (code === 'ECONNRESET' || code === 'EPIPE' || message === 'socket hang up' || message === 'aborted') {
    return new MediaError(
      'protocol',
      `${host} closed the connection before a full answer`,
      { errno: code },
      options,
    );
  }
  return new MediaError(
    'protocol',
    `${host} did not speak HTTP as expected: ${message}`,
    { errno: code },
    options,
  );
}
