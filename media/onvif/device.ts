import { MediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import { readChannels, type ChannelList } from './channels.ts';
import { parseRange } from './cidr.ts';
import type { DeviceClock } from './clock.ts';
import { createContext } from './device-context.ts';
import { pullEvents, type EventOptions, type OnvifEvent } from './events.ts';
import { identityOf, type DeviceIdentity } from './identity.ts';
import { optional, readInformation, readNetwork, readReference } from './management.ts';
import { createPtz, type PtzControl } from './ptz.ts';
import { getReplayUri } from './replay.ts';
import {
  findCoverage,
  findRecordings,
  getRecordingSummary,
  listRecordings,
  type Coverage,
  type Recording,
  type RecordingSummary,
} from './search.ts';
import { readSnapshot } from './snapshot.ts';
import { createSoapClient, type AuthMode, type Credentials, type RefusalBudget } from './soap.ts';
import type { Channel, DeviceInformation, NetworkInterface, Services } from './types.ts';

/** Where and as whom a device is asked. */
export interface DeviceTarget {
  /** Address of its device service: `http://10.1.2.3/onvif/device_service`. */
  xaddr: string;
  credentials?: Credentials;
  /** SHA-256 of the certificate accepted when the device was registered; without it any is accepted and reported. */
  tlsFingerprint?: string;
}

export interface DeviceOptions {
  log: Log;
  /** Of each request, connect to last byte. Default 8000. */
  deadlineMs?: number;
  /** Camera networks as CIDR; addresses the device announces on other hosts are believed only inside them. */
  networks?: readonly string[];
  /** Refused log-ins allowed. Default 2 for each device opened, refilled when the device accepts the password. */
  budget?: RefusalBudget;
  /** Ends every request of this device. */
  signal?: AbortSignal;
  /** Default 2 MB. */
  maxBytes?: number;
}

/**
 * One ONVIF device (camera or NVR). Every method throws MediaError: 'unreachable', 'timeout', 'unauthorized', 'locked', 'not-supported',
 * 'rejected', 'protocol', 'too-large', 'cancelled'. Nothing is kept open between calls, so there is nothing to close.
 */
export interface OnvifDevice {
  readonly xaddr: string;
  /** Certificate seen, after an https answer. */
  readonly tlsFingerprint: string | undefined;
  /** How the device wants to be asked, as far as known. */
  readonly authMode: AuthMode;
  /** Its clock against ours; asked once, without credentials. */
  getClock(): Promise<DeviceClock>;
  getInformation(): Promise<DeviceInformation>;
  getNetwork(): Promise<NetworkInterface[]>;
  /** Stable identity (see identityOf). What is `known` is not asked again; */
  getIdentity(known?: {
    information?: DeviceInformation;
    network?: NetworkInterface[];
    endpointReference?: string;
  }): Promise<DeviceIdentity | undefined>;
  getServices(): Promise<Services>;
  listChannels(): Promise<ChannelList>;
  /** One JPEG. @throws also 'no-media' when the answer is no picture, 'not-supported' when the channel has no snapshot */
  getSnapshot(channel: Pick<Channel, 'snapshotUri'>, signal?: AbortSignal): Promise<Buffer>;
  readonly ptz: PtzControl;
  events(options: EventOptions): AsyncGenerator<OnvifEvent, void, void>;
  /** Profile G; see search.ts for whose clock it speaks. */
  readonly archive: {
    getSummary(): Promise<RecordingSummary>;
    listRecordings(): Promise<Recording[]>;
    findRecordings(options?: { deadlineMs?: number; signal?: AbortSignal }): Promise<Recording[]>;
    findCoverage(
      recordingToken: string,
      range: { fromDeviceAt: number; untilDeviceAt: number },
      options?: { deadlineMs?: number; signal?: AbortSignal },
    ): Promise<Coverage>;
    getReplayUri(recordingToken: string): Promise<string>;
  };
}

/**
 * The face of one device; sends nothing yet.
 * @throws MediaError 'rejected' if the address is no http(s) URL or a network is no CIDR
 */
export function openDevice(target: DeviceTarget, options: DeviceOptions): OnvifDevice {
  if (!URL.canParse(target.xaddr) || !/^https?:$/.test(new URL(target.xaddr).protocol)) {
    throw new MediaError('rejected', 'the device address is no http or https URL');
  }
  const deadlineMs = options.deadlineMs ?? 8_000;
  const log = options.log.child({ component: 'onvif' });
  const soap = createSoapClient({
    credentials: target.credentials,
    tlsFingerprint: target.tlsFingerprint,
    deadlineMs,
    maxBytes: options.maxBytes,
    budget: options.budget ?? { left: 2, max: 2 },
    signal: options.signal,
  });
  const trusted = (options.networks ?? []).map(parseRange);
  const context = createContext({
    soap,
    xaddr: target.xaddr,
    log,
    deadlineMs,
    trusted,
    signal: options.signal,
  });
  const getInformation = () => readInformation(context);
  const getNetwork = () => readNetwork(context);

  return {
    xaddr: target.xaddr,
    get tlsFingerprint() {
      return soap.tlsFingerprint;
    },
    get authMode() {
      return soap.mode;
    },
    getClock: () => context.clock(),
    getInformation,
    getNetwork,
    async getIdentity(known = {}) {
      const information = known.information ?? (await getInformation());
      const interfaces = known.network ?? (await optional(context, 'network interfaces', getNetwork));
      const endpointReference =
        known.endpointReference ??
        (await optional(context, 'endpoint reference', () => readReference(context)));
      return identityOf({ information, interfaces, endpointReference });
    },
    getServices: () => context.services(),
    listChannels: () => readChannels(context),
    async getSnapshot({ snapshotUri }, signal) {
      if (snapshotUri === undefined) throw new MediaError('not-supported', 'this channel gives no snapshot');
      return readSnapshot(context, snapshotUri, signal ?? options.signal);
    },
    ptz: createPtz(context),
    events: (eventOptions) => pullEvents(context, eventOptions),
    archive: {
      getSummary: () => getRecordingSummary(context),
      listRecordings: () => listRecordings(context),
      findRecordings: (searchOptions) => findRecordings(context, searchOptions),
      findCoverage: (token, range, searchOptions) => findCoverage(context, token, range, searchOptions),
      getReplayUri: (token) => getReplayUri(context, token),
    },
  };
}
