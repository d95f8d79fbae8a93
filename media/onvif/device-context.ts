import { isMediaError, MediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import type { Ipv4Range } from './cidr.ts';
import { readClock, type DeviceClock } from './clock.ts';
import { isFinal, type DeviceContext } from './context.ts';
import { correctHost } from './hosts.ts';
import { NAMESPACES, PREFIX_OF, type ServiceName } from './namespaces.ts';
import { callNodeOnvif, suitsNodeOnvif } from './node-onvif.ts';
import { readServices } from './services.ts';
import type { SoapCall, SoapClient } from './soap.ts';
import type { Services } from './types.ts';
import { attribute, find } from './xml.ts';

export interface ContextOptions {
  soap: SoapClient;
  xaddr: string;
  log: Log;
  deadlineMs: number;
  trusted: readonly Ipv4Range[];
  signal?: AbortSignal;
}

/** The working context of one device; nothing is asked until something needs it. */
export function createContext({
  soap,
  xaddr,
  log,
  deadlineMs,
  trusted,
  signal,
}: ContextOptions): DeviceContext {
  let clock: Promise<DeviceClock> | undefined;
  let services: Promise<Services> | undefined;
  let hasNodeOnvifFailed = false;
  let tokenOffered: Promise<boolean> | undefined;

  const context: DeviceContext = {
    soap,
    xaddr,
    log,
    deadlineMs,
    correct: (uri, kind) => correctHost(uri, xaddr, kind, trusted),

    clock() {
      clock ??= readClock(soap, xaddr, { signal }).then((measured) => {
        soap.setSkew(measured.skewMs);
        return measured;
      });
      return clock;
    },

    services() {
      services ??= readServices(context).catch((error: unknown) => {
        services = undefined;
        throw error;
      });
      return services;
    },

    async ask(service, operation, inner = '', options = {}) {
      await clockIfPossible();
      return soap.call({ ...(await request(service, operation, inner)), ...options });
    },

    async askEither(service, call, inner, values = []) {
      await clockIfPossible();
      const own = await request(service, call.operation, inner);
      if (hasNodeOnvifFailed || !suitsNodeOnvif(soap, own.xaddr, values)) return soap.call(own);
      if (soap.credentials && soap.mode === 'none') {
        const open = await soap.probe(own);
        if (open) return open;
      }
      const isDigest = soap.mode === 'http-digest';
      if (isDigest && !(await isTokenOffered())) return soap.call(own);
      try {
        return await callNodeOnvif(soap, own.xaddr, call, { deadlineMs, signal });
      } catch (error) {
        const isTokenRefused = isDigest && isMediaError(error, 'unauthorized');
        if (isFinal(error) && !isTokenRefused) throw error;
        if (isTokenRefused) tokenOffered = Promise.resolve(false);
        // It gives up after 3 s, for one; what failed it once on this device would cost a second request each time.
        if (isMediaError(error, 'internal', 'too-large')) hasNodeOnvifFailed = true;
        const { message } = error as Error;
        log.debug(
          { operation: call.operation, error: message },
          'node-onvif-ts failed, asking with our own client',
        );
        return soap.call(own);
      }
    },
  };

  /**
   * Whether a device that asked for Digest says that it takes tokens as well, which is all node-onvif-ts can send. It is asked without
   * credentials and believed only after Digest has proven them, so a wrong password never costs a second refusal this way.
   */
  async function isTokenOffered(): Promise<boolean> {
    if (!soap.isProven) return false;
    tokenOffered ??= request('device', 'GetServiceCapabilities', '')
      .then((call) => soap.call({ ...call, isAnonymous: true }))
      .then((answer) => attribute(find(answer, 'Capabilities', 'Security'), 'UsernameToken') === 'true')
      .catch((error: unknown) => {
        log.debug({ error: (error as Error).message }, 'the device does not tell which log-ins it takes');
        return false;
      });
    return tokenOffered;
  }

  async function request(service: ServiceName, operation: string, inner: string): Promise<SoapCall> {
    const prefix = PREFIX_OF[service];
    const namespace = NAMESPACES[prefix];
    return {
      xaddr: await addressOf(service),
      operation,
      action: `${namespace}/${operation}`,
      body: `<${prefix}:${operation} xmlns:${prefix}="${namespace}" xmlns:tt="${NAMESPACES.tt}">${inner}</${prefix}:${operation}>`,
      deadlineMs,
    };
  }

  async function addressOf(service: ServiceName): Promise<string> {
    if (service === 'device') return xaddr;
    const address = (await context.services())[service];
    if (address === undefined)
      throw new MediaError('not-supported', `the device offers no ${service} service`, { service });
    return address;
  }

  /** A device that refuses to tell the time may still accept a log-in; one that does not answer will not. */
  async function clockIfPossible(): Promise<void> {
    try {
      await context.clock();
    } catch (error) {
      if (isMediaError(error, 'timeout', 'unreachable', 'cancelled')) {
        clock = undefined;
        throw error;
      }
      log.debug(
        { error: (error as Error).message },
        'the device does not tell its time; log-in tokens carry ours',
      );
    }
  }

  return context;
}
