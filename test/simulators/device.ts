import { createHash } from 'node:crypto';
import type { ChannelSpec, DeviceSpec } from './device-specs.ts';
import { FaultSet, type RtspState } from './faults.ts';
import { HttpDigest, UsernameTokens, type AuthResult } from './soap-auth.ts';

/** Size and pace of a stream of every camera. Width divides by 80 and height by 60, so that the stamp's blocks are whole. */
export interface StreamSize {
  width: number;
  height: number;
  fps: number;
  bitrateKbps: number;
}

/** One RTSP stream of a channel. */
export interface SimStream extends StreamSize {
  /** The ONVIF profile token. */
  token: string;
  kind: 'main' | 'sub';
  channel: ChannelSpec;
  sourceToken: string;
  codec: 'H264' | 'H265';
  audio: 'G711' | 'AAC' | null;
  /** Frames from one key frame to the next. */
  govLength: number;
  /** RTSP path, without the query that some devices add to it. */
  path: string;
}

/** What a device was asked so far. */
export interface DeviceStats {
  probes: number;
  httpRequests: number;
  /** Calls by operation, refused ones too. */
  soapCalls: Record<string, number>;
  /** Refused credentials over HTTP (SOAP, snapshot). A first request without any does not count. */
  loginFailures: number;
  rtspDescribes: number;
  rtspPlays: number;
  /** RTSP connections open now. */
  rtspClients: number;
  /** RTSP requests that carried credentials and were refused. */
  rtspLoginFailures: number;
  snapshots: number;
}

export interface DeviceNet {
  /** First three parts of the address, `127.0.10`. */
  subnet: string;
  httpPort: number;
  rtspPort: number;
  main: StreamSize;
  sub: StreamSize;
  gopS: number;
}

const LOCK_MS = 60_000;

/** One simulated device: what it is, how it is doing, whom it lets in. The sockets are others' (device-http.ts, rtsp-child.ts). */
export class SimDevice {
  readonly spec: DeviceSpec;
  readonly net: DeviceNet;
  readonly streams: readonly SimStream[];
  readonly faults = new FaultSet();
  readonly realm: string;
  readonly stats: DeviceStats = {
    probes: 0,
    httpRequests: 0,
    soapCalls: {},
    loginFailures: 0,
    rtspDescribes: 0,
    rtspPlays: 0,
    rtspClients: 0,
    rtspLoginFailures: 0,
    snapshots: 0,
  };
  readonly #tokens = new UsernameTokens();
  readonly digest: HttpDigest;
  #failuresInRow = 0;
  #lockedUntilAt = 0;

  constructor(spec: DeviceSpec, net: DeviceNet) {
    this.spec = spec;
    this.net = net;
    this.realm = `${spec.model} ${spec.host}`;
    this.digest = new HttpDigest(this.realm);
    this.streams = spec.channels.flatMap((channel, index) => [
      this.#stream(channel, index, 'main'),
      this.#stream(channel, index, 'sub'),
    ]);
  }

  #stream(channel: ChannelSpec, index: number, kind: 'main' | 'sub'): SimStream {
    const size = kind === 'main' ? this.net.main : this.net.sub;
    const minor = kind === 'main' ? 1 : 2;
    // Two makers' ways of naming a stream.
    const path =
      this.spec.host % 2 ? `/Streaming/Channels/${index + 1}0${minor}` : `/live/ch${index}/${kind}`;
    return {
      ...size,
      token: `Profile_${index + 1}0${minor}`,
      kind,
      channel,
      sourceToken: `VideoSource_${channel.number}`,
      codec: kind === 'main' ? channel.codec : 'H264',
      audio: kind === 'main' ? channel.audio : null,
      govLength: Math.max(1, Math.round(size.fps * this.net.gopS)),
      path,
    };
  }

  get id(): string {
    return this.spec.id;
  }

  get media(): 'media1' | 'media2' | 'both' | 'none' {
    return this.spec.traits.media ?? 'both';
  }

  get mainSize(): StreamSize {
    return this.net.main;
  }

  /** Stable over address changes, as WS-Discovery wants. `urn:uuid:…` */
  get endpointReference(): string {
    const h = createHash('sha1')
      .update(`weian-simulator:${this.net.subnet}:${this.spec.serial}`)
      .digest('hex');
    return `urn:uuid:${h.slice(0, 8)}-${h.slice(8, 12)}-5${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}`;
  }

  /** Locally administered, from the serial. */
  get mac(): string {
    const h = createHash('sha1').update(this.spec.serial).digest('hex');
    return ['02', ...[0, 2, 4, 6, 8].map((i) => h.slice(i, i + 2))].join(':');
  }

  /** Rises when what discovery says of the device changes. */
  get metadataVersion(): number {
    return this.faults.has('changeAddress') ? 2 : 1;
  }

  get address(): string {
    return `${this.net.subnet}.${this.faults.get('changeAddress')?.host ?? this.spec.host}`;
  }

  get baseUrl(): string {
    return `${this.spec.traits.tls ? 'https' : 'http'}://${this.address}:${this.net.httpPort}`;
  }

  /** The device service address, as announced. */
  get xaddr(): string {
    return `${this.baseUrl}/onvif/device_service`;
  }

  get scopes(): string[] {
    return [
      'onvif://www.onvif.org/type/video_encoder',
      'onvif://www.onvif.org/Profile/Streaming',
      `onvif://www.onvif.org/hardware/${encodeURIComponent(this.spec.model)}`,
      ...(this.spec.kind === 'nvr' ? ['onvif://www.onvif.org/Profile/G'] : []),
      `onvif://www.onvif.org/name/${encodeURIComponent(this.spec.name)}`,
      `onvif://www.onvif.org/location/country/${encodeURIComponent('中国')}`,
      `onvif://www.onvif.org/location/building/${encodeURIComponent(this.spec.name.split(' ')[0]!)}`,
    ];
  }

  rtspUrl(stream: SimStream): string {
    // A query with an ampersand, as one maker really sends: whoever forgets to escape or quote it, fails.
    const query = this.spec.host % 2 ? `?transportmode=unicast&profile=${stream.token}` : '';
    return `rtsp://${this.address}:${this.net.rtspPort}${stream.path}${query}`;
  }

  snapshotUrl(stream: SimStream): string {
    return `${this.baseUrl}/snapshot/${stream.token}.jpg`;
  }

  /** The device's clock, epoch ms. */
  clockAt(): number {
    return Date.now() + this.clockSkewMs();
  }

  clockSkewMs(): number {
    return (this.spec.traits.clockSkewMs ?? 0) + (this.faults.get('clockSkew')?.skewMs ?? 0);
  }

  clockIsRight(): boolean {
    return this.clockSkewMs() === 0;
  }

  get locked(): boolean {
    return this.faults.has('lockout') || Date.now() < this.#lockedUntilAt;
  }

  unlock(): void {
    this.#failuresInRow = 0;
    this.#lockedUntilAt = 0;
  }

  get delayMs(): number {
    return (this.spec.traits.slowMs ?? 0) + (this.faults.get('slow')?.delayMs ?? 0);
  }

  /** Checks a request's credentials by whichever kind this device takes, and counts a refusal. */
  login(
    header: Parameters<UsernameTokens['check']>[0],
    http: { authorization?: string; method: string; url: string },
  ): AuthResult {
    const kinds = this.spec.traits.auth ?? 'both';
    let result: AuthResult = 'absent';
    if (kinds !== 'digest') result = this.#tokens.check(header, this.spec, this.clockAt());
    if (result === 'absent' && kinds !== 'wsse') {
      result = this.digest.check(http.authorization, http.method, http.url, this.spec);
    }
    if (result === 'ok' && (this.faults.has('refusePassword') || this.locked)) result = 'wrong';
    if (result === 'wrong') {
      this.stats.loginFailures += 1;
      this.#failuresInRow += 1;
      const limit = this.spec.traits.lockAfter;
      if (limit !== undefined && this.#failuresInRow >= limit) this.#lockedUntilAt = Date.now() + LOCK_MS;
    } else if (result === 'ok') this.#failuresInRow = 0;
    return result;
  }

  rtspState(): RtspState {
    const f = this.faults;
    const picture = (['black', 'white', 'covered', 'blur'] as const).find((kind) => f.has(kind)) ?? 'normal';
    return {
      online: !f.has('drop'),
      address: this.address,
      refusePassword: f.has('refusePassword') || f.has('lockout'),
      freeze: f.has('freeze'),
      picture,
      clockSkewMs: this.clockSkewMs(),
      stallAfterMs: f.has('noVideo') ? 0 : (f.get('stall')?.afterMs ?? null),
      slowMs: f.get('slow')?.delayMs ?? 0,
    };
  }
}
