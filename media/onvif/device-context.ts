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
      if (!suitsNodeOnvif(soap, own.xaddr, values)) return soap.call(own);
      if (soap.credentials && soap.mode === 'none') {
        const open = await soap.probe(own);
        if (open) return open;
        if (!suitsNodeOnvif(soap, own.xaddr, values)) return soap.call(own);
      }
      try {
        return await callNodeOnvif(soap, own.xaddr, call, { deadlineMs, signal });
      } catch (error) {
        if (isFinal(error)) throw error;
        log.debug(
          { operation: call.operation, error: (error as Error).message },
          'node-onvif-ts failed, asking with our own client',
        );
        return soap.call(own);
      }
    },
  };

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
