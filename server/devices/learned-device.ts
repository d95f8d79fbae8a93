import type { DeviceFacts } from '#media/onvif/learn.ts';
import { hostOf, endpointOf } from './device-address.ts';
import type { Device, DeviceNote, Finding } from './schema.ts';
import type { ChannelRecord, DeviceFields, StoredStream } from './store.ts';

/** A video source as the device described it. */
export interface LearnedChannel {
  readonly sourceToken: string;
  readonly name: string | null;
  readonly streams: readonly StoredStream[];
  readonly snapshotUri: string | null;
  readonly hasPtz: boolean;
}

/** What a device said of itself, in the register's terms; kept with its finding as JSON. Holds no password. */
export interface LearnedDevice {
  readonly xaddr: string;
  readonly host: string;
  readonly kind: Device['kind'];
  /** Strongest first; the first becomes the device's identity. Never empty. */
  readonly identityKeys: readonly [string, ...string[]];
  readonly endpointReference: string | null;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly firmwareVersion: string | null;
  readonly serialNumber: string | null;
  readonly hardwareId: string | null;
  readonly mac: string | null;
  readonly clockSkewMs: number | null;
  readonly clockCheckedAt: number | null;
  readonly tlsFingerprint: string | null;
  /** Whether it answered only to a password. */
  readonly wantsPassword: boolean;
  readonly channels: readonly LearnedChannel[];
  readonly warnings: readonly DeviceNote[];
}

/** Names that firmware makes up; a number behind the device's own name says more. */
const madeUpName =
  /^(?:VSC|VideoSource(?:Config(?:uration)?)?|VideoSrc|(?:Media)?Profile|(?:Main|Sub)Stream)[\s_-]*(?:Token|Config|Channel)?[\s_-]*\d*$/i;

const clip = (text: string | undefined, length = 200) => text?.slice(0, length) ?? null;

/**
 * Turns the facts of a conversation that succeeded into what is kept. A device that tells nothing stable is known by its address
 * (`address:host:port`), which its warnings say.
 * @param at when it was asked, epoch ms
 */
export function toLearnedDevice(
  facts: DeviceFacts,
  { endpointReference, at }: { endpointReference: string | null; at: number },
): LearnedDevice {
  const channels = (facts.channels ?? []).map((channel) => ({
    sourceToken: channel.sourceToken,
    name: madeUpName.test(channel.name ?? '') ? null : clip(channel.name, 80),
    streams: channel.streams.map((stream) => ({
      kind: stream.kind,
      codec: stream.codec,
      widthPx: stream.width ?? null,
      heightPx: stream.height ?? null,
      frameRateFps: stream.frameRateFps ?? null,
      bitrateBps: stream.bitrateBps ?? null,
      hasAudio: stream.hasAudio,
      profileToken: stream.profileToken,
      rtspUri: stream.rtspUri,
    })),
    snapshotUri: channel.snapshotUri ?? null,
    hasPtz: channel.hasPtz,
  }));
  const keys = facts.identity?.keys ?? [];
  const [strongest = `address:${endpointOf(facts.xaddr)}`, ...others] = keys;
  const ownReference = keys.find((key) => key.startsWith('epr:'))?.slice('epr:'.length);
  const hasArchive = facts.services?.replay !== undefined || facts.services?.recording !== undefined;
  return {
    xaddr: facts.xaddr,
    host: hostOf(facts.xaddr),
    // A camera may have several lenses and an SD card may be its archive; both together, or many sources, are a recorder.
    kind: channels.length >= 4 || (channels.length > 1 && hasArchive) ? 'nvr' : 'camera',
    identityKeys: [strongest, ...others],
    endpointReference: endpointReference ?? ownReference ?? null,
    manufacturer: clip(facts.information?.manufacturer),
    model: clip(facts.information?.model),
    firmwareVersion: clip(facts.information?.firmwareVersion),
    serialNumber: clip(facts.information?.serialNumber),
    hardwareId: clip(facts.information?.hardwareId),
    mac: facts.network?.find((item) => item.mac !== undefined)?.mac ?? null,
    clockSkewMs: facts.clock?.skewMs ?? null,
    clockCheckedAt: facts.clock ? at : null,
    tlsFingerprint: facts.tlsFingerprint ?? null,
    wantsPassword: facts.credentialSetIndex !== undefined,
    channels,
    warnings: facts.warnings.slice(0, 50),
  };
}

/** The same without addresses of streams, for the console. */
export function toLearnedView(learned: LearnedDevice): NonNullable<Finding['learned']> {
  const { kind, manufacturer, model, firmwareVersion, serialNumber, clockSkewMs } = learned;
  return {
    kind,
    identity: learned.identityKeys[0],
    manufacturer,
    model,
    firmwareVersion,
    serialNumber,
    clockSkewMs,
    channels: learned.channels.map((channel) => ({
      name: channel.name,
      streams: channel.streams.map(toStreamInfo),
      hasPtz: channel.hasPtz,
    })),
    warnings: [...learned.warnings],
  };
}

/** A stream without what stays on the server. */
export function toStreamInfo(stream: StoredStream) {
  const { kind, codec, widthPx, heightPx, frameRateFps, bitrateBps, hasAudio } = stream;
  return { kind, codec, widthPx, heightPx, frameRateFps, bitrateBps, hasAudio };
}

/** Device columns that a fresh answer of the device decides. What it does not tell this time stays as it was known. */
export function learnedFields(
  learned: LearnedDevice,
  at: number,
  before?: Pick<DeviceFields, 'endpointReference' | 'mac' | 'clockSkewMs' | 'clockCheckedAt' | 'hardwareId'>,
) {
  return {
    kind: learned.kind,
    host: learned.host,
    xaddr: learned.xaddr,
    endpointReference: learned.endpointReference ?? before?.endpointReference ?? null,
    manufacturer: learned.manufacturer,
    model: learned.model,
    firmwareVersion: learned.firmwareVersion,
    serialNumber: learned.serialNumber,
    hardwareId: learned.hardwareId ?? before?.hardwareId ?? null,
    mac: learned.mac ?? before?.mac ?? null,
    clockSkewMs: learned.clockSkewMs ?? before?.clockSkewMs ?? null,
    clockCheckedAt: learned.clockCheckedAt ?? before?.clockCheckedAt ?? null,
    tlsFingerprint: learned.tlsFingerprint,
    lastSeenAt: at,
  };
}

/** How a device's channels follow what it says now: matched by source; none is ever dropped, for its footage and its place on the plan. */
export function matchChannels(known: readonly ChannelRecord[], learned: readonly LearnedChannel[]) {
  const bySource = new Map(known.map((channel) => [channel.sourceToken, channel]));
  const tokens = new Set(learned.map((channel) => channel.sourceToken));
  return {
    kept: learned.flatMap((now) => {
      const before = bySource.get(now.sourceToken);
      return before ? [{ before, now }] : [];
    }),
    added: learned.filter((channel) => !bySource.has(channel.sourceToken)),
    missing: known.filter((channel) => !tokens.has(channel.sourceToken)),
  };
}
