import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Log } from '#media/log.ts';
import { MediaError } from '#media/errors.ts';
import type { OnvifEvent } from '#media/onvif/events.ts';
import type { StreamSource } from '#media/source.ts';
import type { Inquiry } from './inquiry.ts';
import type { OnvifPort } from './onvif-port.ts';
import type { DeviceRegister } from './register.ts';
import type { PtzMove, StreamKind } from './schema.ts';
import type { DeviceService } from './service.ts';

/** A channel as recording, live view and checks need it. */
export interface ChannelFacts {
  readonly channelId: string;
  readonly deviceId: string;
  readonly name: string;
}

/** Where a stream is taken from, with its log-in, and what the device says it carries. Never answered or logged. */
export interface ChannelStream extends ChannelFacts {
  readonly kind: StreamKind;
  readonly source: StreamSource;
  readonly codec: 'H264' | 'H265' | 'JPEG' | 'other';
  readonly hasAudio: boolean;
}

export interface CameraCalls {
  /** Channels that are to be recorded, of devices that are switched on. */
  listRecorded(): Promise<ChannelFacts[]>;
  /** All channels of devices that are switched on: what health checks look at. */
  listWatched(): Promise<ChannelFacts[]>;
  /** Also for channels of removed devices, whose footage remains. @throws AppError not-found */
  get(channelId: string): Promise<ChannelFacts>;
  /**
   * The stream as now registered; asked for `sub`, a channel without one gives its main stream (`kind` says which it is).
   * @throws AppError not-found; channel.no-picture when the device is switched off or removed, or offers no stream
   */
  getStream(channelId: string, kind: StreamKind): Promise<ChannelStream>;
  /**
   * A JPEG of now, at most five seconds old; people who look at the same time share one request.
   * @throws AppError not-found, channel.no-picture; MediaError as the device answers
   */
  getSnapshot(channelId: string): Promise<Buffer>;
  /** Moves the camera; all zero stops it. @throws AppError not-found, device.not-supported; MediaError as the device answers */
  move(channelId: string, move: PtzMove): Promise<void>;
  /** Devices that are switched on, with the names each may use for its channels. */
  listEventDevices(): { deviceId: string; channels: { channelId: string; tokens: string[] }[] }[];
  /** The device's events until `signal` aborts. @throws AppError not-found; MediaError for what waiting does not mend */
  listenTo(deviceId: string, signal: AbortSignal): AsyncGenerator<OnvifEvent, void, void>;
  close(): void;
}

const snapshotReuseMs = 5_000;
const deadlineMs = 5_000;

/** Everything that turns a channel's id into a call to its device. */
export function createCameraCalls(options: {
  register: DeviceRegister;
  devices: DeviceService;
  inquiry: Inquiry;
  onvif: OnvifPort;
  bus: EventBus;
  networks: () => readonly string[];
  now: Now;
  log: Log;
}): CameraCalls {
  const { register, devices, inquiry, onvif, bus, networks, now, log } = options;
  const opened = new Map<string, ReturnType<OnvifPort['openDevice']>>();
  const snapshots = new Map<string, { at: number; picture: Promise<Buffer> }>();
  const stops = new Map<string, NodeJS.Timeout>();
  const unsubscribe = (['device.changed', 'device.removed'] as const).map((name) =>
    bus.on(name, ({ deviceId }) => opened.delete(deviceId)),
  );

  function find(channelId: string) {
    const found = register.findChannel(channelId);
    if (!found) throw new AppError('not-found');
    return found;
  }
  function findInUse(channelId: string) {
    const found = find(channelId);
    if (!found.device.isEnabled || found.device.removedAt !== null) throw new AppError('channel.no-picture');
    return found;
  }
  const factsOf = ({ device, channel }: ReturnType<typeof find>): ChannelFacts => ({
    channelId: channel.id,
    deviceId: device.id,
    name: channel.name,
  });
  const inUse = () =>
    register
      .list()
      .filter((device) => device.isEnabled)
      .flatMap((device) => device.channels.map((channel) => ({ device, channel })));

  /** Kept between calls, so that a joystick does not ask for clock and services each time. */
  function open({ id, xaddr, host, tlsFingerprint }: ReturnType<typeof find>['device']) {
    const device =
      opened.get(id) ??
      onvif.openDevice(
        { xaddr, credentials: devices.withCredentials(id), tlsFingerprint: tlsFingerprint ?? undefined },
        { budget: inquiry.budgetFor(host), networks: [...networks()], deadlineMs, log },
      );
    opened.set(id, device);
    return device;
  }

  return {
    listRecorded: async () =>
      inUse()
        .filter(({ channel }) => channel.isRecorded)
        .map(factsOf),
    listWatched: async () => inUse().map(factsOf),
    get: async (channelId) => factsOf(find(channelId)),

    async getStream(channelId, kind) {
      const found = findInUse(channelId);
      const { streams } = found.channel;
      const stream = streams.find((candidate) => candidate.kind === kind) ?? streams[0];
      if (!stream) throw new AppError('channel.no-picture');
      const credentials = devices.withCredentials(found.device.id);
      const source = {
        url: stream.rtspUri,
        transport: 'tcp' as const,
        ...(credentials ? { credentials } : {}),
      };
      return { ...factsOf(found), kind: stream.kind, source, codec: stream.codec, hasAudio: stream.hasAudio };
    },

    async getSnapshot(channelId) {
      const { device, channel } = findInUse(channelId);
      const last = snapshots.get(channelId);
      if (last && now() - last.at < snapshotReuseMs) return last.picture;
      const picture = open(device).getSnapshot({ snapshotUri: channel.snapshotUri ?? undefined });
      const entry = { at: now(), picture };
      snapshots.set(channelId, entry);
      const drop = () => {
        if (snapshots.get(channelId) === entry) snapshots.delete(channelId);
      };
      picture.then(
        () => setTimeout(drop, snapshotReuseMs).unref(), // pictures are megabytes: none stays for nobody
        drop,
      );
      return picture;
    },

    async move(channelId, { pan, tilt, zoom, timeoutMs }) {
      const { device, channel } = findInUse(channelId);
      const profileToken = channel.streams[0]?.profileToken;
      if (!channel.hasPtz || profileToken === undefined)
        throw new MediaError('not-supported', 'this channel cannot be moved');
      clearTimeout(stops.get(channelId));
      stops.delete(channelId);
      const { ptz } = open(device);
      if (pan === 0 && tilt === 0 && zoom === 0) return ptz.stop(profileToken);
      await ptz.continuousMove(profileToken, { pan, tilt, zoom }, Math.ceil(timeoutMs / 1000));
      // The device counts whole seconds; a shorter nudge is ended from here, and by the device should this fail.
      if (timeoutMs % 1000 !== 0)
        stops.set(
          channelId,
          setTimeout(() => {
            ptz
              .stop(profileToken)
              .catch((error: unknown) => log.warn({ channelId, err: error }, 'PTZ stop failed'));
          }, timeoutMs).unref(),
        );
    },

    listEventDevices: () =>
      register
        .list()
        .filter((device) => device.isEnabled)
        .map((device) => ({
          deviceId: device.id,
          channels: device.channels.map((channel) => ({
            channelId: channel.id,
            tokens: [channel.sourceToken, ...channel.streams.map((stream) => stream.profileToken)],
          })),
        })),
    listenTo(deviceId, signal) {
      const device = register.find(deviceId);
      if (!device) throw new AppError('not-found');
      return open(device).events({ signal });
    },

    close() {
      for (const end of unsubscribe) end();
      for (const timer of stops.values()) clearTimeout(timer);
    },
  };
}
