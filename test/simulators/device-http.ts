import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimDevice } from './device.ts';
import { deviceHandlers, servicesOf } from './services/device.ts';
import type { Handlers } from './services/handlers.ts';
import { media2Handlers, mediaHandlers } from './services/media.ts';
import { envelope, faultEnvelope, notAuthorized, NS, readRequest, SoapFault } from './soap.ts';

const MAX_REQUEST_BYTES = 256 * 1024;

/** Asked before any log-in; everything else needs credentials. Source: ONVIF Core §5.9.4.3 (PRE_AUTH). */
const PRE_AUTH = new Set([
  'GetSystemDateAndTime',
  'GetCapabilities',
  'GetServices',
  'GetServiceCapabilities',
  'GetHostname',
  'GetWsdlUrl',
]);

/** What the HTTP side needs from outside the device. */
export interface HttpParts {
  /** A JPEG of the channel's picture now. */
  snapshot: (device: SimDevice, path: string) => Promise<Buffer>;
  /** Certificate and key (PEM) for a device that wants TLS. */
  certificate: (device: SimDevice) => Promise<{ key: string; cert: string }>;
  /** Services beside device and media, by namespace. */
  services: Readonly<Record<string, Handlers>>;
}

/** The HTTP(S) endpoint of one device: SOAP services and snapshots. `open` and `close` may follow each other. */
export class DeviceHttp {
  readonly #device: SimDevice;
  readonly #parts: HttpParts;
  readonly #handlers: Readonly<Record<string, Handlers>>;
  #server: Server | undefined;

  constructor(device: SimDevice, parts: HttpParts) {
    this.#device = device;
    this.#parts = parts;
    this.#handlers = {
      [NS.tds]: deviceHandlers,
      [NS.trt]: mediaHandlers,
      [NS.tr2]: media2Handlers,
      ...parts.services,
    };
  }

  async open(): Promise<void> {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#handle(request, response).catch((error: unknown) => {
        process.stderr.write(`${this.#device.id}: ${String(error)}\n`);
        response.destroy();
      });
    };
    const server = this.#device.spec.traits.tls
      ? createTlsServer(await this.#parts.certificate(this.#device), listener)
      : createServer(listener);
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#device.net.httpPort, this.#device.address, resolve);
    });
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const device = this.#device;
    device.stats.httpRequests += 1;
    if (device.delayMs > 0) await sleep(device.delayMs);
    if (device.spec.traits.body) return this.#misbehave(device.spec.traits.body, response);
    const url = request.url ?? '/';
    if (url.startsWith('/snapshot/')) return this.#snapshot(request, response, url);
    const service = servicesOf(device).find((s) => s.path === url.split('?')[0]);
    const isSubscription = url.startsWith('/onvif/event_service/') && device.media !== 'none';
    if (request.method !== 'POST' || (!service && !isSubscription)) {
      response.writeHead(404).end();
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_REQUEST_BYTES) {
        response.writeHead(413, { connection: 'close' }).end();
        return;
      }
      chunks.push(chunk);
    }
    await this.#soap(Buffer.concat(chunks).toString('utf8'), request, response, service?.namespace);
  }

  async #soap(
    text: string,
    request: IncomingMessage,
    response: ServerResponse,
    served: string | undefined,
  ): Promise<void> {
    const device = this.#device;
    try {
      const call = readRequest(text);
      device.stats.soapCalls[call.operation] = (device.stats.soapCalls[call.operation] ?? 0) + 1;
      const handlers = this.#handlers[call.namespace];
      // A subscription's own address has no entry in the list of services.
      const isServed = served === call.namespace || (served === NS.tev && call.namespace === NS.wsnt);
      if (!handlers || (served !== undefined && !isServed)) {
        throw new SoapFault('Receiver', ['ter:ActionNotSupported'], `No service ${call.namespace} here`);
      }
      const handler = Object.hasOwn(handlers, call.operation) ? handlers[call.operation] : undefined;
      if (!PRE_AUTH.has(call.operation)) {
        const { authorization } = request.headers;
        const result = device.login(call.header, {
          ...(authorization !== undefined ? { authorization } : {}),
          method: 'POST',
          url: request.url ?? '/',
        });
        if (result !== 'ok') return this.#refuse(response, result === 'absent');
      }
      if (!handler) {
        throw new SoapFault('Receiver', ['ter:ActionNotSupported'], `No operation ${call.operation}`);
      }
      const answer = envelope(await handler({ device, body: call.body, path: request.url ?? '/' }));
      const whole = device.faults.has('malformedSoap') ? answer.slice(0, answer.length * 0.6) : answer;
      this.#send(response, 200, whole);
    } catch (error) {
      if (!(error instanceof SoapFault)) throw error;
      // SOAP 1.2 part 2 §7.5.2: 400 for Sender, 500 for Receiver. Devices with `faultLang` say 200.
      const status = device.spec.traits.faultLang ? 200 : error.code === 'Sender' ? 400 : 500;
      this.#send(response, status, faultEnvelope(error));
    }
  }

  #refuse(response: ServerResponse, wasAbsent: boolean): void {
    const device = this.#device;
    const fault = notAuthorized(device.locked ? 'Sender not authorized: the account is locked' : undefined);
    if (device.spec.traits.auth === 'wsse') {
      this.#send(response, device.spec.traits.faultLang ? 200 : 400, faultEnvelope(fault));
    } else if (device.spec.traits.faultLang && !wasAbsent) {
      this.#send(response, 200, faultEnvelope(fault));
    } else {
      response.setHeader('www-authenticate', device.digest.challenge(device.clockAt()));
      this.#send(response, 401, faultEnvelope(fault));
    }
  }

  #send(response: ServerResponse, status: number, body: string): void {
    response.writeHead(status, {
      'content-type': 'application/soap+xml; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  }

  async #snapshot(request: IncomingMessage, response: ServerResponse, url: string): Promise<void> {
    const device = this.#device;
    const stream = device.streams.find((s) => url === `/snapshot/${s.token}.jpg`);
    if (!stream || device.spec.traits.snapshot === '404') {
      response.writeHead(404).end();
      return;
    }
    const { authorization } = request.headers;
    const check = { ...(authorization !== undefined ? { authorization } : {}), method: 'GET', url };
    // WS-Security has no place in a GET: snapshots take HTTP Digest on every device.
    const result =
      device.spec.traits.auth === 'wsse'
        ? device.digest.check(authorization, 'GET', url, device.spec)
        : device.login(undefined, check);
    if (result !== 'ok') {
      response.writeHead(401, { 'www-authenticate': device.digest.challenge(device.clockAt()) }).end();
      return;
    }
    const jpeg = await this.#parts.snapshot(device, stream.path);
    device.stats.snapshots += 1;
    response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': jpeg.length }).end(jpeg);
  }

  #misbehave(kind: NonNullable<SimDevice['spec']['traits']['body']>, response: ServerResponse): void {
    const soap = { 'content-type': 'application/soap+xml; charset=utf-8' };
    const bodies = {
      huge: () => randomBytes(1024 * 1024),
      html: () => '<!DOCTYPE html><html><body><h1>登录</h1><form action="/login"></form></body></html>',
      truncated: () => '<?xml version="1.0"?><env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-env',
      garbage: () => randomBytes(400),
      deep: () => `<a>${'<b>'.repeat(60_000)}${'</b>'.repeat(60_000)}</a>`,
      empty: () => '',
      hang: () => undefined,
    };
    const body = bodies[kind]();
    if (body === undefined) return; // accepted, read, never answered
    response.writeHead(200, kind === 'html' ? { 'content-type': 'text/html' } : soap).end(body);
  }
}
