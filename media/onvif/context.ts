import { isMediaError, type MediaError } from '#media/errors.ts';
import type { CorrectedAddress } from './hosts.ts';
import type { Log } from '#media/log.ts';
import type { DeviceClock } from './clock.ts';
import type { ServiceName } from './namespaces.ts';
import type { NodeOnvifCall } from './node-onvif.ts';
import type { SoapClient } from './soap.ts';
import type { Services } from './types.ts';
import type { XmlNode } from './xml.ts';

/** What the parts of one device's face share: its clock, its services, and the two ways to ask. */
export interface DeviceContext {
  readonly soap: SoapClient;
  readonly xaddr: string;
  readonly log: Log;
  readonly deadlineMs: number;
  /** Read once and kept; the first authenticated request waits for it. */
  clock(): Promise<DeviceClock>;
  services(): Promise<Services>;
  /**
   * Asks one operation of a service through our own SOAP. `inner` is the inside of the request element, escaped, with the service's
   * short prefix (`trt:`, `tr2:`, ...) and `tt:` declared.
   * @throws MediaError 'not-supported' if the device lacks the service, else those of SoapClient.call
   */
  ask(
    service: ServiceName,
    operation: string,
    inner?: string,
    options?: { deadlineMs?: number; signal?: AbortSignal },
  ): Promise<XmlNode>;
  /** Asks through node-onvif-ts where it suits, else or after its failure through `ask`. */
  askEither(
    service: ServiceName,
    call: NodeOnvifCall,
    inner: string,
    values?: readonly string[],
  ): Promise<XmlNode>;
  /** correctHost against the address this device was reached at. */
  correct(uri: string, kind: 'http' | 'rtsp'): CorrectedAddress | undefined;
}

/** Failures after which asking the same device in another way is useless or does harm. */
const FINAL = ['unauthorized', 'locked', 'timeout', 'unreachable', 'cancelled'] as const;

/** Whether `error` ends the matter with this device for now. */
export const isFinal = (error: unknown): error is MediaError => isMediaError(error, ...FINAL);
