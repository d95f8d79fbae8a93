import type { ServiceName } from './namespaces.ts';

/** What the device says of itself, each text kept exactly as sent (a firmware "1.10" stays "1.10"); undefined where it says nothing. */
export interface DeviceInformation {
  manufacturer?: string;
  model?: string;
  firmwareVersion?: string;
  serialNumber?: string;
  hardwareId?: string;
}

/** One network interface that has an address or a MAC. `mac` is lower case with colons. */
export interface NetworkInterface {
  name?: string;
  mac?: string;
  addresses: { address: string; prefixLength?: number; isDhcp: boolean }[];
}

/** Addresses of the services the device offers, hosts already corrected (see hosts.ts). */
export type Services = Partial<Record<ServiceName, string>>;

export type Codec = 'H264' | 'H265' | 'JPEG' | 'other';

/** A media profile as both media services describe it, before streams are chosen. */
export interface Profile {
  token: string;
  name?: string;
  sourceToken?: string;
  sourceName?: string;
  codec?: Codec;
  width?: number;
  height?: number;
  frameRateFps?: number;
  bitrateBps?: number;
  gopFrames?: number;
  hasAudio: boolean;
  hasPtz: boolean;
}

/** One stream to record or to watch. `rtspUri` never holds credentials. */
export interface Stream {
  kind: 'main' | 'sub';
  profileToken: string;
  codec: Codec;
  width?: number;
  height?: number;
  frameRateFps?: number;
  /** The limit set in the encoder, not a measurement. */
  bitrateBps?: number;
  gopFrames?: number;
  hasAudio: boolean;
  rtspUri: string;
  media: 'media1' | 'media2';
}

/** One video source: a camera has one (a panoramic one several), an NVR one for each camera behind it. */
export interface Channel {
  sourceToken: string;
  name?: string;
  /** Main first; a sub stream only if there is one that differs. Never empty. */
  streams: Stream[];
  snapshotUri?: string;
  hasPtz: boolean;
}
