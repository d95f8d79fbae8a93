import { prepareArchive, type Archive, type ArchiveOptions } from './archive.ts';
import { makeCertificate } from './certificate.ts';
import { DiscoveryResponder } from './discovery.ts';
import { SimDevice, type DeviceStats, type StreamSize } from './device.ts';
import { DEFAULT_PASSWORD, DEFAULT_USER, deviceSpecs } from './device-specs.ts';
import { DeviceHttp } from './device-http.ts';
import type { Fault, FaultKind } from './faults.ts';
import { RtspChild, type RtspDeviceConfig, type RtspEvent } from './rtsp-child.ts';
import { eventHandlers, subscriptionHandlers } from './services/events.ts';
import { ptzHandlers } from './services/ptz.ts';
import { recordingServices } from './services/recording.ts';
import { NS } from './soap.ts';
import { world, type World } from './world.ts';

export interface HospitalOptions {
  /** First three parts of the loopback addresses; another subnet lets two hospitals run at once. Default 127.0.10 */
  subnet?: string;
  httpPort?: number;
  rtspPort?: number;
  /** Ids to start; default all cameras and the NVR. */
  devices?: readonly string[];
  /** Also start the devices that answer garbage, hang and so on. Default false. */
  odd?: boolean;
  /** Default 640 x 360, 10 frames/s, 500 kbit/s. */
  main?: Partial<StreamSize>;
  /** Default 320 x 180, 5 frames/s, 150 kbit/s. */
  sub?: Partial<StreamSize>;
  /** Seconds between key frames. Default 1. */
  gopS?: number;
  /** The NVR's footage; false leaves it out (an NVR without archive starts at once). */
  archive?: ArchiveOptions | false;
}

export interface Hospital {
  readonly devices: readonly SimDevice[];
  readonly world: World;
  /** User and password of all devices but two. */
  readonly credentials: { user: string; password: string };
  /** @throws Error when there is no such device. */
  /** What the NVR holds; undefined without one. */
  readonly archive: Archive | undefined;
  device(id: string): SimDevice;
  /** Resolved when the fault is real on the wire. */
  setFault(id: string, fault: Fault): Promise<void>;
  /** Clears one kind or all faults, and unlocks the account. */
  clearFaults(id: string, kind?: FaultKind): Promise<void>;
  /** The next `count` WS-Discovery answers of a device are lost on the way. */
  loseReplies(id: string, count: number): void;
  stats(id: string): DeviceStats;
  /** PEM of the authority that signed a TLS device's certificate; undefined for the others. */
  authority(id: string): string | undefined;
  /** Ends every socket and the Python process. Safe to repeat. */
  close(): Promise<void>;
}

const MAIN: StreamSize = { width: 640, height: 360, fps: 10, bitrateKbps: 500 };
const SUB: StreamSize = { width: 320, height: 180, fps: 5, bitrateKbps: 150 };

function rtspConfig(device: SimDevice, archive: Archive | undefined): RtspDeviceConfig {
  const { spec, net } = device;
  return {
    id: device.id,
    address: device.address,
    port: net.rtspPort,
    user: spec.user,
    password: spec.password,
    realm: device.realm,
    streams: device.streams.map((s) => ({
      path: s.path,
      number: s.channel.number,
      name: s.channel.name,
      scene: s.channel.scene,
      sign: s.channel.sign,
      width: s.width,
      height: s.height,
      fps: s.fps,
      counterFps: net.main.fps,
      gopS: net.gopS,
      codec: s.codec,
      bFrames: s.kind === 'main' ? s.channel.bFrames : 0,
      audio: s.audio,
      bitrateKbps: s.bitrateKbps,
    })),
    replays:
      device.spec.kind === 'nvr'
        ? (archive?.recordings ?? []).map(({ path, file }) => ({
            path,
            file,
            startS: archive!.startAt / 1000,
          }))
        : [],
  };
}

function record(device: SimDevice | undefined, { event, count }: RtspEvent): void {
  if (!device) return;
  if (event === 'describe') device.stats.rtspDescribes += 1;
  else if (event === 'play') device.stats.rtspPlays += 1;
  else if (event === 'refused') device.stats.rtspLoginFailures += 1;
  else device.stats.rtspClients = count ?? 0;
}

/**
 * Starts the simulated hospital: each device on its own loopback address with SOAP over HTTP and RTSP.
 * @throws Error when an address is taken or GStreamer is missing; nothing is left running then.
 */
export async function startHospital(options: HospitalOptions = {}): Promise<Hospital> {
  const net = {
    subnet: options.subnet ?? '127.0.10',
    httpPort: options.httpPort ?? 8000,
    rtspPort: options.rtspPort ?? 8554,
    main: { ...MAIN, ...options.main },
    sub: { ...SUB, ...options.sub },
    gopS: options.gopS ?? 1,
  };
  const devices = deviceSpecs
    .filter((spec) => (spec.kind === 'odd' ? options.odd : (options.devices?.includes(spec.id) ?? true)))
    .map((spec) => new SimDevice(spec, net));
  const byId = new Map(devices.map((device) => [device.id, device]));
  const get = (id: string): SimDevice => {
    const device = byId.get(id);
    if (!device) throw new Error(`The hospital has no device ${id}`);
    return device;
  };
  const nvr = devices.find((d) => d.spec.kind === 'nvr');
  const archive =
    nvr && options.archive !== false ? await prepareArchive(nvr.spec.channels, options.archive) : undefined;
  const services = {
    [NS.tev]: eventHandlers,
    [NS.wsnt]: subscriptionHandlers,
    [NS.tptz]: ptzHandlers,
    ...recordingServices(archive?.recordings ?? [], (d, r) => `rtsp://${d.address}:${net.rtspPort}${r.path}`),
  };
  const child = await RtspChild.start(
    devices.filter((d) => d.streams.length > 0).map((d) => rtspConfig(d, archive)),
    (event) => record(byId.get(event.device), event),
  );
  const authorities = new Map<string, string>();
  const https = new Map(
    devices.map((device) => [
      device.id,
      new DeviceHttp(device, {
        snapshot: (d, path) => child.snapshot(d.id, path),
        certificate: async (d) => {
          const made = await makeCertificate(d.address, d.id);
          authorities.set(d.id, made.authority);
          return made;
        },
        services,
      }),
    ]),
  );
  let discovery: DiscoveryResponder | undefined;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await discovery?.close();
      await Promise.all([...https.values()].map((http) => http.close()));
      await child.close();
    })());

  try {
    await Promise.all([...https.values()].map((http) => http.open()));
    discovery = await DiscoveryResponder.start(devices);
  } catch (error) {
    await close();
    throw error;
  }

  const settle = async (device: SimDevice, wasOnline: boolean, oldAddress: string): Promise<void> => {
    const http = https.get(device.id)!;
    const online = !device.faults.has('drop');
    const moved = device.address !== oldAddress;
    if (wasOnline && (!online || moved)) await http.close();
    if (online && (!wasOnline || moved)) await http.open();
    if (device.streams.length > 0) await child.apply(device.id, device.rtspState());
    if (moved) await discovery?.hello(device);
  };
  const change = async (id: string, act: (device: SimDevice) => void): Promise<void> => {
    const device = get(id);
    const [wasOnline, oldAddress] = [!device.faults.has('drop'), device.address];
    act(device);
    await settle(device, wasOnline, oldAddress);
  };

  return {
    devices,
    world,
    archive,
    credentials: { user: DEFAULT_USER, password: DEFAULT_PASSWORD },
    device: get,
    setFault: (id, fault) => change(id, (device) => device.faults.set(fault)),
    clearFaults: (id, kind) =>
      change(id, (device) => {
        device.faults.clear(kind);
        device.unlock();
      }),
    loseReplies: (id, count) => discovery?.lose(get(id).id, count),
    stats: (id) => get(id).stats,
    authority: (id) => authorities.get(get(id).id),
    close,
  };
}
