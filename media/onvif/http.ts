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
export function exchange(request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    let tlsFingerprint: string | undefined;
    const host = request.url.host;

    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
      finish();
      socket?.destroy();
    };
    const fail = (error: unknown): void => settle(() => reject(toMediaError(error, host)));
    const onAbort = (): void => fail(new MediaError('cancelled', `the request to ${host} was cancelled`));
    const timer = setTimeout(
      () => fail(new MediaError('timeout', `${host} did not answer fully within ${request.deadlineMs} ms`)),
      request.deadlineMs,
    );
    if (request.signal?.aborted) return onAbort();
    request.signal?.addEventListener('abort', onAbort, { once: true });

    const send = (connected: Socket): void => {
      const outgoing = httpRequest(request.url.href.replace(/^https:/, 'http:'), {
        method: request.method,
        headers: {
          host,
          connection: 'close',
          ...request.headers,
          ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
        },
        createConnection: () => connected,
        maxHeaderSize: 16_384,
      });
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        collect(incoming, request.maxBytes, host).then(
          (body) =>
            settle(() =>
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers,
                body,
                tlsFingerprint,
              }),
            ),
          fail,
        );
      });
      outgoing.end(request.body);
    };

    connect(request).then(
      (connected) => {
        socket = connected.socket;
        tlsFingerprint = connected.tlsFingerprint;
        connected.socket.on('error', fail);
        send(connected.socket);
      },
      fail,
    );

    function connect({ url }: HttpRequest): Promise<{ socket: Socket; tlsFingerprint?: string }> {
      const isTls = url.protocol === 'https:';
      const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (isTls ? 443 : 80) };
      return new Promise((connected, refused) => {
        if (!isTls) {
          const plain = netConnect(address, () => connected({ socket: plain }));
          socket = plain;
          plain.on('error', refused);
          return;
        }
        const secure = tlsConnect({ ...address, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }, () => {
          const seen = secure.getPeerCertificate().fingerprint256;
          if (request.tlsFingerprint !== undefined && !isSameFingerprint(seen, request.tlsFingerprint)) {
            refused(
              new MediaError('protocol', `${host} shows another TLS certificate than the one accepted before`, {
                reason: 'tls-fingerprint',
                tlsFingerprint: seen,
              }),
            );
          } else connected({ socket: secure, tlsFingerprint: seen });
        });
        socket = secure;
        secure.on('error', refused);
      });
    }
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
  if (UNREACHABLE.has(code)) return new MediaError('unreachable', `nothing answers at ${host} (${code})`, { errno: code }, options);
  if (code === 'ETIMEDOUT') return new MediaError('timeout', `${host} did not answer the connection`, { errno: code }, options);
  if (code === 'ECONNRESET' || code === 'EPIPE' || message === 'socket hang up' || message === 'aborted') {
    return new MediaError('protocol', `${host} closed the connection before a full answer`, { errno: code }, options);
  }
  return new MediaError('protocol', `${host} did not speak HTTP as expected: ${message}`, { errno: code }, options);
}
