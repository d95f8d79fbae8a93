import { isMediaError, type MediaError } from '#media/errors.ts';
import { noteOf, type DeviceNote } from './notes.ts';
import type { DeviceClock } from './clock.ts';
import { openDevice, type DeviceOptions, type OnvifDevice } from './device.ts';
import { identityOf, type DeviceIdentity } from './identity.ts';
import type { Credentials, RefusalBudget } from './soap.ts';
import type { Channel, DeviceInformation, NetworkInterface, Services } from './types.ts';

export interface LearnOptions extends DeviceOptions {
  /** Tried in this order, as far as `budget` goes (default: two refused log-ins). None: only what the device tells everybody. */
  credentialSets: readonly Credentials[];
  /** For the whole conversation. Default 60 s. */
  totalMs?: number;
  /** From discovery, for devices that tell no serial number. */
  endpointReference?: string;
}

/** What was learned; every part may be missing when the conversation ended early. */
export interface DeviceFacts {
  xaddr: string;
  clock?: DeviceClock;
  /** Index in `credentialSets` of the one accepted; undefined also when the device wants none. */
  credentialSetIndex?: number;
  /** How many of `credentialSets`, from the first on, the device refused. */
  refusedSets: number;
  information?: DeviceInformation;
  services?: Services;
  channels?: Channel[];
  network?: NetworkInterface[];
  identity?: DeviceIdentity;
  tlsFingerprint?: string;
  /** Oddities an engineer should know, in sentences. */
  warnings: DeviceNote[];
}

export type LearnOutcome =
  'ok' | 'unauthorized' | 'locked' | 'unreachable' | 'timeout' | 'garbage' | 'not-onvif' | 'unsupported';

export interface LearnResult {
  outcome: LearnOutcome;
  /** A plain sentence; empty for 'ok'. */
  reason: string;
  facts: DeviceFacts;
}

/**
 * The whole first conversation with a device: the clock without credentials, the log-in, what it is, its channels, its identity.
 * Whatever the device does is a result, with the facts gathered until then; nothing is retried after a lock-out.
 * @throws MediaError 'rejected' only for the caller's own mistakes (an address that is no URL, a network that is no CIDR),
 * 'cancelled' when `signal` is aborted
 */
export async function learnDevice(
  target: { xaddr: string; tlsFingerprint?: string },
  options: LearnOptions,
): Promise<LearnResult> {
  const facts: DeviceFacts = { xaddr: target.xaddr, refusedSets: 0, warnings: [] };
  const budget = options.budget ?? { left: 2, max: 2 };
  const total = AbortSignal.timeout(options.totalMs ?? 60_000);
  const signal = options.signal ? AbortSignal.any([options.signal, total]) : total;
  const open = (credentials: Credentials | undefined): OnvifDevice =>
    openDevice(
      { ...target, tlsFingerprint: facts.tlsFingerprint ?? target.tlsFingerprint, credentials },
      { ...options, budget, signal },
    );
  const anonymous = open(undefined);
  try {
    await readClockInto(facts, anonymous);
    const device = await logIn(facts, options.credentialSets, budget, open);
    await readIdentity(facts, device, options.endpointReference);
    return { outcome: 'ok', reason: '', facts };
  } catch (error) {
    if (!isMediaError(error) || (error.code === 'cancelled' && !total.aborted)) throw error;
    // Even a device of no use is recognised again, so that it stays one row.
    facts.identity ??= identityOf({
      ...facts,
      interfaces: facts.network,
      endpointReference: options.endpointReference,
    });
    return { ...explain(error, options.credentialSets.length > 0), facts };
  }
}

async function readClockInto(facts: DeviceFacts, device: OnvifDevice): Promise<void> {
  try {
    facts.clock = await device.getClock();
    const { suspectedHourOffset, skewMs } = facts.clock;
    if (suspectedHourOffset !== undefined) {
      facts.warnings.push(noteOf('clock-hours-off', { hours: String(suspectedHourOffset) }));
    } else if (Math.abs(skewMs) > 60_000)
      facts.warnings.push(noteOf('clock-off', { seconds: String(Math.round(skewMs / 1000)) }));
  } catch (error) {
    // Some devices tell even the time only after a log-in.
    if (!isMediaError(error, 'unauthorized')) throw error;
    facts.warnings.push(noteOf('clock-locked', {}));
  } finally {
    facts.tlsFingerprint = device.tlsFingerprint;
  }
}

/**
 * Reads what the device is and shows with the first set it accepts; without any set, with none. A device may tell what it is to
 * everybody and guard only its services, so a set has passed only when the channels are read.
 */
async function logIn(
  facts: DeviceFacts,
  sets: readonly Credentials[],
  budget: RefusalBudget,
  open: (credentials: Credentials | undefined) => OnvifDevice,
): Promise<OnvifDevice> {
  let refusal: unknown;
  for (const [index, credentials] of (sets.length > 0 ? [...sets] : [undefined]).entries()) {
    if (refusal !== undefined && budget.left <= 0) break;
    const device = open(credentials);
    try {
      facts.information = await device.getInformation();
      facts.services = await device.getServices();
      const { channels, warnings } = await device.listChannels();
      facts.channels = channels;
      facts.warnings.push(...warnings);
      if (channels.length === 0) facts.warnings.push(noteOf('no-video', {}));
      if (device.authMode !== 'none') facts.credentialSetIndex = index;
      return device;
    } catch (error) {
      if (!isMediaError(error, 'unauthorized')) throw error;
      refusal = error;
      if (credentials) facts.refusedSets += 1;
    }
  }
  throw refusal;
}

async function readIdentity(
  facts: DeviceFacts,
  device: OnvifDevice,
  endpointReference: string | undefined,
): Promise<void> {
  try {
    facts.network = await device.getNetwork();
  } catch (error) {
    // An operator's account often may not read this; the serial number is then identity enough.
    if (!isMediaError(error) || error.code === 'locked' || error.code === 'cancelled') throw error;
    facts.warnings.push(noteOf('network-unreadable', { reason: error.message }));
  }
  facts.identity = await device.getIdentity({
    information: facts.information,
    network: facts.network ?? [],
    endpointReference,
  });
  if (!facts.identity) facts.warnings.push(noteOf('no-identity', {}));
}

function explain(
  error: MediaError,
  hasCredentials: boolean,
): { outcome: Exclude<LearnOutcome, 'ok'>; reason: string } {
  const { details } = error;
  switch (error.code) {
    case 'unauthorized':
      return hasCredentials
        ? { outcome: 'unauthorized', reason: 'The device refused the user names and passwords tried.' }
        : { outcome: 'unauthorized', reason: 'The device wants a user name and a password.' };
    case 'locked':
      return {
        outcome: 'locked',
        reason: 'The device has locked its log-in for now. Wait, or restart it, before trying again.',
      };
    case 'unreachable':
      return { outcome: 'unreachable', reason: 'Nothing answers at this address.' };
    case 'timeout':
    case 'cancelled':
      return { outcome: 'timeout', reason: 'The device accepts a connection but does not answer in time.' };
    case 'too-large':
      return { outcome: 'garbage', reason: 'The device sent far more data than such an answer can hold.' };
    case 'protocol':
      if (details['reason'] === 'tls-fingerprint') {
        return {
          outcome: 'unsupported',
          reason:
            'The device shows another certificate than before. Check that it is the same device, then accept the new one.',
        };
      }
      if (details['isHtml'] === true)
        return { outcome: 'not-onvif', reason: 'A web page answers at this address, but no ONVIF service.' };
      return {
        outcome: 'garbage',
        reason: `The device answers, but not in a readable way: ${error.message}.`,
      };
    case 'not-supported':
      if (details['isBasicOnly'] === true) {
        return {
          outcome: 'unsupported',
          reason:
            'The device accepts only Basic log-in, which would send the password readably. Switch on Digest in its settings.',
        };
      }
      if (typeof details['status'] === 'number' && !Array.isArray(details['subcodes'])) {
        return {
          outcome: 'not-onvif',
          reason: 'A web server answers at this address, but no ONVIF service.',
        };
      }
      return { outcome: 'unsupported', reason: `The device lacks something needed: ${error.message}.` };
    default:
      return { outcome: 'unsupported', reason: `The device refused a request: ${error.message}.` };
  }
}
