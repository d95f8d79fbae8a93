import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/*
 * For tests of this folder only: a small ONVIF device on loopback whose every answer can be replaced. It checks log-ins by its own
 * arithmetic, so that it cannot agree with a mistake of the client. (test/simulators holds the big simulated hospital.)
 */

/** What a test sees of each request, in order. */
export interface SeenRequest {
  operation: string;
  path: string;
  hasToken: boolean;
  authorization: string | undefined;
  /** 'node-onvif-ts' sends no SOAP action. */
  client: 'node-onvif-ts' | 'own';
  body: string;
}

/** An answer: the inside of the SOAP body, or anything at all through `raw`. */
export type Answer = string | ((request: SeenRequest, raw: ServerResponse) => string | undefined);

export interface TestDeviceOptions {
  auth?: 'none' | 'ws' | 'digest' | 'both' | 'basic';
  username?: string;
  password?: string;
  /** How far its clock is ahead of ours. */
  skewMs?: number;
  algorithm?: 'MD5' | 'SHA-256';
  answers?: Record<string, Answer>;
  /** Operations answered to anybody, beside those of every device. */
  open?: string[];
  tls?: { key: string; cert: string };
}

export interface TestDevice {
  xaddr: string;
  origin: string;
  port: number;
  requests: SeenRequest[];
  operations(): string[];
  answers: Record<string, Answer>;
  close(): Promise<void>;
}

/** Operations a real device answers to anybody (ONVIF Core 5.9.4.3, PRE_AUTH). */
const OPEN = new Set([
  'GetSystemDateAndTime',
  'GetServices',
  'GetCapabilities',
  'GetServiceCapabilities',
  'GetEndpointReference',
]);

/** Starts one on a free port of 127.0.0.1; close it at the end of the test. */
export async function startTestDevice(options: TestDeviceOptions = {}): Promise<TestDevice> {
  const { auth = 'none', username = 'admin', password = 'secret', skewMs = 0, algorithm = 'MD5' } = options;
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const nonce = 'dGVzdC1ub25jZQ==';
  let lastNc = 0;

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const operation = /<s:Body>\s*<(?:[\w-]+:)?(\w+)/.exec(body)?.[1] ?? `${request.method} ${request.url}`;
      const seen: SeenRequest = {
        operation,
        path: request.url ?? '',
        hasToken: body.includes('UsernameToken'),
        authorization: request.headers.authorization,
        client:
          request.method === 'POST' && !request.headers['content-type']?.includes('action=')
            ? 'node-onvif-ts'
            : 'own',
        body,
      };
      requests.push(seen);
      if (
        auth !== 'none' &&
        !OPEN.has(operation) &&
        !options.open?.includes(operation) &&
        !isAllowed(seen, request)
      ) {
        refuse(response);
        return;
      }
      const answer = device.answers[operation];
      const inside = typeof answer === 'function' ? answer(seen, response) : (answer ?? notSupported);
      if (inside === undefined) return;
      sendSoap(response, inside, inside.includes(':Fault>') ? 500 : 200);
    });
  };

  function isAllowed(seen: SeenRequest, request: IncomingMessage): boolean {
    if (auth === 'ws') return checkToken(seen.body);
    if (auth === 'both' && seen.hasToken) return checkToken(seen.body);
    if (auth === 'digest' || auth === 'both')
      return checkDigest(seen.authorization ?? '', request.method ?? '', request.url ?? '');
    return false;
  }

  function refuse(response: ServerResponse): void {
    if (auth === 'digest' || auth === 'both') {
      response.setHeader(
        'www-authenticate',
        `Digest realm="cam", qop="auth", nonce="${nonce}", algorithm=${algorithm}, opaque="op"`,
      );
      lastNc = 0;
    }
    if (auth === 'basic') response.setHeader('www-authenticate', 'Basic realm="cam"');
    if (auth === 'ws') sendSoap(response, fault('ter:NotAuthorized', 'Sender not authorized'), 400);
    else response.writeHead(401).end();
  }

  function checkToken(body: string): boolean {
    const part = (name: string): string =>
      new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(body)?.[1] ?? '';
    const created = part('Created');
    const sum = createHash('sha1')
      .update(Buffer.from(part('Nonce'), 'base64'))
      .update(created + password)
      .digest('base64');
    const name = part('Username').replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    const isFresh = Math.abs(Date.parse(created) - (Date.now() + skewMs)) < 5_000;
    return name === username && sum === part('Password') && isFresh;
  }

  function checkDigest(header: string, method: string, uri: string): boolean {
    const part = (name: string): string => new RegExp(`[ ,]${name}="?([^",]*)`).exec(header)?.[1] ?? '';
    const hash = hexDigest(algorithm);
    const nc = Number.parseInt(part('nc'), 16);
    const expected = hash(
      `${hash(`${username}:cam:${password}`)}:${nonce}:${part('nc')}:${part('cnonce')}:auth:${hash(`${method}:${uri}`)}`,
    );
    const isOk =
      header.startsWith('Digest ') && part('response') === expected && part('opaque') === 'op' && nc > lastNc;
    if (isOk) lastNc = nc;
    return isOk;
  }

  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const device: TestDevice = {
    origin,
    port,
    xaddr: `${origin}/onvif/device_service`,
    requests,
    operations: () => requests.map(({ operation }) => operation),
    answers: { ...camera(origin, port, skewMs), ...options.answers },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return device;
}

const hexDigest =
  (algorithm: 'MD5' | 'SHA-256') =>
  (text: string): string =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex');

/** Sends `inside` in an envelope. */
export function sendSoap(response: ServerResponse, inside: string, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/soap+xml; charset=utf-8' });
  response.end(soap(inside));
}

/** A whole envelope around `inside`. */
export const soap = (inside: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" ' +
  'xmlns:ter="http://www.onvif.org/ver10/error" xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" ' +
  'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tr2="http://www.onvif.org/ver20/media/wsdl">' +
  `<env:Header/><env:Body>${inside}</env:Body></env:Envelope>`;

/** The inside of an answer that refuses. */
export const fault = (subcode: string, reason: string, lang = 'xml:lang="en"'): string =>
  `<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>${subcode}</env:Value></env:Subcode></env:Code>` +
  `<env:Reason><env:Text ${lang}>${reason}</env:Text></env:Reason></env:Fault>`;

const notSupported = fault('ter:ActionNotSupported', 'Optional action not implemented');

/** GetSystemDateAndTimeResponse with `at` as the device's UTC. */
export function timeAnswer(at: number): string {
  const d = new Date(at);
  return (
    '<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>' +
    `<tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone><tt:UTCDateTime><tt:Time><tt:Hour>${d.getUTCHours()}</tt:Hour><tt:Minute>${d.getUTCMinutes()}</tt:Minute>` +
    `<tt:Second>${d.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${d.getUTCFullYear()}</tt:Year><tt:Month>${d.getUTCMonth() + 1}</tt:Month>` +
    `<tt:Day>${d.getUTCDate()}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`
  );
}

export interface TestProfile {
  token: string;
  source?: string;
  size?: [number, number];
  encoding?: string;
  rateControl?: boolean;
  extra?: string;
}

/** One Media1 profile. */
export const profile1 = ({
  token,
  source = 'src0',
  size = [1920, 1080],
  encoding = 'H264',
  rateControl = true,
  extra = '',
}: TestProfile): string =>
  `<trt:Profiles token="${token}" fixed="true"><tt:Name>${token}</tt:Name>` +
  `<tt:VideoSourceConfiguration token="vsc"><tt:Name>ICU ${source}</tt:Name><tt:SourceToken>${source}</tt:SourceToken></tt:VideoSourceConfiguration>` +
  `<tt:VideoEncoderConfiguration token="vec"><tt:Encoding>${encoding}</tt:Encoding><tt:Resolution><tt:Width>${size[0]}</tt:Width><tt:Height>${size[1]}</tt:Height></tt:Resolution>` +
  (rateControl
    ? '<tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit><tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>'
    : '') +
  `<tt:H264><tt:GovLength>50</tt:GovLength></tt:H264></tt:VideoEncoderConfiguration>${extra}</trt:Profiles>`;

/** One Media2 profile. */
export const profile2 = ({
  token,
  source = 'src0',
  size = [2560, 1440],
  encoding = 'H265',
}: TestProfile): string =>
  `<tr2:Profiles token="${token}"><tr2:Name>${token}</tr2:Name><tr2:Configurations>` +
  `<tr2:VideoSource token="vsc"><tt:Name>Ward ${source}</tt:Name><tt:SourceToken>${source}</tt:SourceToken></tr2:VideoSource>` +
  `<tr2:VideoEncoder token="vec" GovLength="40"><tt:Encoding>${encoding}</tt:Encoding><tt:Resolution><tt:Width>${size[0]}</tt:Width><tt:Height>${size[1]}</tt:Height></tt:Resolution>` +
  '<tt:RateControl><tt:FrameRateLimit>20</tt:FrameRateLimit><tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl></tr2:VideoEncoder>' +
  '<tr2:AudioEncoder token="a"/></tr2:Configurations></tr2:Profiles>';

/** GetServicesResponse; keys are service namespaces. */
export const servicesAnswer = (services: Record<string, string>): string =>
  `<tds:GetServicesResponse>${Object.entries(services)
    .map(
      ([namespace, xaddr]) =>
        `<tds:Service><tds:Namespace>${namespace}</tds:Namespace><tds:XAddr>${xaddr}</tds:XAddr></tds:Service>`,
    )
    .join('')}</tds:GetServicesResponse>`;

/** The answers of a plain Profile S camera with two profiles. */
function camera(origin: string, port: number, skewMs: number): Record<string, Answer> {
  return {
    GetSystemDateAndTime: () => timeAnswer(Date.now() + skewMs),
    GetServices: servicesAnswer({
      'http://www.onvif.org/ver10/device/wsdl': `${origin}/onvif/device_service`,
      'http://www.onvif.org/ver10/media/wsdl': `${origin}/onvif/media`,
      'http://www.onvif.org/ver20/ptz/wsdl': `${origin}/onvif/ptz`,
    }),
    GetDeviceInformation:
      '<tds:GetDeviceInformationResponse><tds:Manufacturer>Weitek 维泰</tds:Manufacturer><tds:Model>D-1</tds:Model><tds:FirmwareVersion>1.10</tds:FirmwareVersion>' +
      '<tds:SerialNumber>12345678901234567890</tds:SerialNumber><tds:HardwareId>1e3</tds:HardwareId></tds:GetDeviceInformationResponse>',
    GetNetworkInterfaces:
      '<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>00-1B-C5-00-00-0A</tt:HwAddress></tt:Info>' +
      '<tt:IPv4><tt:Config><tt:Manual><tt:Address>127.0.0.1</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual><tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>',
    GetEndpointReference:
      '<tds:GetEndpointReferenceResponse><tds:GUID>urn:uuid:ABC-1</tds:GUID></tds:GetEndpointReferenceResponse>',
    GetProfiles: `<trt:GetProfilesResponse>${profile1({ token: 'P1' })}${profile1({ token: 'P2', size: [640, 360] })}</trt:GetProfilesResponse>`,
    GetStreamUri: ({ body }) => {
      const token = /ProfileToken>([^<]*)</.exec(body)?.[1];
      return `<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://127.0.0.1:${port}/live?p=${token}&amp;x=1</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>`;
    },
    GetSnapshotUri: `<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>${origin}/snap.jpg?c=1</tt:Uri></trt:MediaUri></trt:GetSnapshotUriResponse>`,
    'GET /snap.jpg?c=1': (_, raw) => {
      raw.writeHead(200, { 'content-type': 'image/jpeg' }).end(Buffer.from([0xff, 0xd8, 0xff, 0xd9]));
      return undefined;
    },
  };
}
