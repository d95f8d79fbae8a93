import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { OnvifServiceDevice, OnvifServiceMedia, OnvifServicePtz } from 'node-onvif-ts';
import { isMediaError, MediaError } from '#media/errors.ts';
import { readSoapAnswer } from './faults.ts';
import type { SoapClient } from './soap.ts';
import { checkShape, escapeXml, type XmlNode } from './xml.ts';

/** What node-onvif-ts is used for; everything else goes through soap.ts. */
export type NodeOnvifCall =
  | { operation: 'GetDeviceInformation' | 'GetProfiles' }
  | { operation: 'GetStreamUri' | 'GetPresets' | 'Stop'; profileToken: string }
  | { operation: 'GotoPreset'; profileToken: string; presetToken: string }
  | {
      operation: 'ContinuousMove';
      profileToken: string;
      velocity: { x: number; y: number; z: number };
      timeoutS: number;
    };

/** The package formats and parses each answer on the event loop (about 0.2 s for this size), so its cap is below soap.ts's 2 MB. */
const MAX_BYTES = 512_000;

/**
 * Whether node-onvif-ts can be trusted with a request to `xaddr`: plain HTTP without a query (it drops it), and nothing that it would
 * put into the XML unescaped. The caller sees to it that the device takes tokens, or wants no log-in.
 */
export function suitsNodeOnvif(soap: SoapClient, xaddr: string, values: readonly string[]): boolean {
  const url = URL.canParse(xaddr) ? new URL(xaddr) : undefined;
  if (url?.protocol !== 'http:' || url.search !== '') return false;
  return [...(soap.credentials ? [soap.credentials.username] : []), ...values].every(
    (value) => escapeXml(value) === value && /^\S(.*\S)?$/s.test(value),
  );
}

/**
 * Makes one request with node-onvif-ts and returns the response element, read by our own reader from the bytes the device sent: the
 * package's own results are untyped, and its errors lose the device's reason.
 * @throws MediaError: 'timeout' at `deadlineMs`, 'too-large', those of readSoapAnswer when the device answered, 'internal' when the
 * package failed before an answer (the caller then asks through soap.ts)
 */
export async function callNodeOnvif(
  soap: SoapClient,
  xaddr: string,
  call: NodeOnvifCall,
  options: { deadlineMs: number; signal?: AbortSignal },
): Promise<XmlNode> {
  const isWithLogin = soap.mode !== 'none' && soap.credentials !== undefined;
  if (isWithLogin) soap.assertMayTry();
  const user = isWithLogin ? { user: soap.credentials?.username, pass: soap.credentials?.password } : {};
  const { result, answer } = guard(() => start({ xaddr, timeDiff: soap.skewMs, ...user }, call), options);
  try {
    await result;
  } catch (error) {
    if (isMediaError(error)) throw error;
    if (!answer.isComplete) {
      throw new MediaError(
        'internal',
        `node-onvif-ts could not make the ${call.operation} request`,
        {},
        { cause: error },
      );
    }
  }
  const body = Buffer.concat(answer.chunks);
  if (body.includes('\uFFFD')) {
    throw new MediaError('internal', 'node-onvif-ts reads UTF-8 only, and the device sent another charset');
  }
  try {
    const node = readSoapAnswer({ status: answer.status, headers: answer.headers, body }, call.operation);
    if (isWithLogin) soap.noteOutcome(call.operation, 'accepted');
    return node;
  } catch (error) {
    if (isWithLogin && isMediaError(error, 'unauthorized', 'locked'))
      soap.noteOutcome(call.operation, 'refused');
    throw error;
  }
}

interface ServiceConfig {
  xaddr: string;
  timeDiff: number;
  user?: string;
  pass?: string;
}

/** The device service, whose constructor alone takes no skew; its own way to learn it is a month off late in the month. */
class SkewedDevice extends OnvifServiceDevice {
  constructor(config: ServiceConfig) {
    super(config);
    this.timeDiff = config.timeDiff;
  }
}

function start(config: ServiceConfig, call: NodeOnvifCall): Promise<unknown> {
  switch (call.operation) {
    case 'GetDeviceInformation': {
      return new SkewedDevice(config).getDeviceInformation();
    }
    case 'GetProfiles':
      return new OnvifServiceMedia(config).getProfiles();
    case 'GetStreamUri':
      return new OnvifServiceMedia(config).getStreamUri({
        Protocol: 'RTSP',
        ProfileToken: call.profileToken,
      });
    case 'GetPresets':
      return new OnvifServicePtz(config).getPresets({ ProfileToken: call.profileToken });
    case 'GotoPreset':
      return new OnvifServicePtz(config).gotoPreset({
        ProfileToken: call.profileToken,
        PresetToken: call.presetToken,
      });
    case 'Stop':
      return new OnvifServicePtz(config).stop({ ProfileToken: call.profileToken, PanTilt: true, Zoom: true });
    case 'ContinuousMove':
      return new OnvifServicePtz(config).continuousMove({
        ProfileToken: call.profileToken,
        Velocity: call.velocity,
        Timeout: call.timeoutS,
      });
  }
}

interface Seen {
  status: number;
  headers: IncomingHttpHeaders;
  chunks: Buffer[];
  isComplete: boolean;
}

function isInShape(xml: string): boolean {
  try {
    checkShape(xml);
    return true;
  } catch (error) {
    if (isMediaError(error)) return false;
    throw error;
  }
}

/**
 * Runs `begin` under a total deadline and a byte cap, which the package lacks: it waits 3 s of silence at a time and gathers any amount.
 * It makes its HTTP request while `begin` runs, so Node's own diagnostics channel hands us that request to bound and to end.
 */
function guard(begin: () => Promise<unknown>, options: { deadlineMs: number; signal?: AbortSignal }) {
  const answer: Seen = { status: 0, headers: {}, chunks: [], isComplete: false };
  let made: ClientRequest | undefined;
  const onCreated = (message: unknown): void => {
    made = (message as { request: ClientRequest }).request;
  };
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  let running: Promise<unknown>;
  subscribe('http.client.request.created', onCreated);
  try {
    running = begin();
  } catch (error) {
    running = Promise.reject(error);
  } finally {
    unsubscribe('http.client.request.created', onCreated);
  }
  const end = (error: MediaError): void => {
    stop(error);
    made?.destroy();
  };
  made?.prependListener('response', (incoming: IncomingMessage) => {
    let size = 0;
    answer.status = incoming.statusCode ?? 0;
    answer.headers = incoming.headers;
    incoming.on('data', (chunk: Buffer | string) => {
      // The package sets the encoding after this listener is added, so text arrives here.
      const bytes = Buffer.from(chunk as string);
      size += bytes.length;
      if (size > MAX_BYTES)
        end(
          new MediaError('too-large', `the device sent more than ${MAX_BYTES} bytes`, {
            maxBytes: MAX_BYTES,
          }),
        );
      else answer.chunks.push(bytes);
    });
    incoming.on('end', () => {
      answer.isComplete = true;
      // It indents every good answer for reading, which stops the event loop for over two minutes on a nested one (60,000
      // levels). An answer that is out of shape is therefore shown to it as a failed one, which it does not format.
      if (!isInShape(Buffer.concat(answer.chunks).toString('utf8'))) incoming.statusCode = 502;
    });
    // The package listens for no error here, and a connection that breaks half-way must not end the process.
    incoming.on('error', () =>
      end(new MediaError('protocol', 'the device closed the connection before a full answer')),
    );
    incoming.on('aborted', () =>
      end(new MediaError('protocol', 'the device closed the connection before a full answer')),
    );
  });
  // Its own error listener goes after the first error, and ending a request can raise a second.
  made?.on('error', (error) =>
    stop(new MediaError('internal', 'node-onvif-ts lost the connection', {}, { cause: error })),
  );
  const timer = setTimeout(
    () => end(new MediaError('timeout', `the device did not answer fully within ${options.deadlineMs} ms`)),
    options.deadlineMs,
  );
  const onAbort = (): void => end(new MediaError('cancelled', 'the request was cancelled'));
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  const result = Promise.race([running, stopped]).finally(() => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  });
  return { result, answer };
}
