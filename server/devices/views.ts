import { toWireOrNull } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import { toStreamInfo } from './learned-device.ts';
import type { DeviceRegister } from './register.ts';
import type { Channel, Device, HealthState, RecordingState } from './schema.ts';
import type { DeviceRecord } from './store.ts';

/** How a channel is now, from the capabilities that know. Instants are epoch ms. */
export interface ChannelStates {
  healthOf(channelId: string): {
    readonly state: HealthState;
    readonly reason: string | null;
    readonly sinceAt: number | null;
  };
  recordingOf(channelId: string): { readonly state: RecordingState; readonly cause: string | null };
}

/** Devices as the console sees them: the register joined with health and recording. */
export interface DeviceViews {
  toDevice(device: DeviceRecord): Device;
  toChannel(channelId: string): Channel | undefined;
  /** The answer of `GET /api/devices`, serialised; made anew only after something changed. */
  list(): { readonly body: Buffer; readonly etag: string };
}

/**
 * Keeps the device list as bytes. Each device is serialised on its own and again only after an event about it, so that one camera
 * that goes down does not cost a pass over hundreds.
 */
export function createDeviceViews(options: {
  register: DeviceRegister;
  bus: EventBus;
  states: ChannelStates;
}): DeviceViews {
  const { register, bus, states } = options;
  const texts = new Map<string, string>();
  let current: { body: Buffer; etag: string } | undefined;
  let version = 0;

  function forget(deviceId: string | undefined): void {
    if (deviceId !== undefined) texts.delete(deviceId);
    current = undefined;
  }
  bus.on('device.changed', ({ deviceId }) => forget(deviceId));
  bus.on('device.removed', ({ deviceId }) => forget(deviceId));
  bus.on('channel.health-changed', ({ deviceId }) => forget(deviceId));
  bus.on('recording.changed', ({ channelId }) => forget(register.findChannel(channelId)?.device.id));

  function toDevice(device: DeviceRecord): Device {
    return {
      id: device.id,
      kind: device.kind,
      name: device.name,
      host: device.host,
      xaddr: device.xaddr,
      identity: device.identity,
      manufacturer: device.manufacturer,
      model: device.model,
      firmwareVersion: device.firmwareVersion,
      serialNumber: device.serialNumber,
      mac: device.mac,
      clockSkewMs: device.clockSkewMs,
      clockCheckedAt: toWireOrNull(device.clockCheckedAt),
      isEnabled: device.isEnabled,
      hasCredentials: device.credential !== null,
      warnings: [...device.warnings],
      placeId: device.placeId,
      lastSeenAt: toWireOrNull(device.lastSeenAt),
      removedAt: toWireOrNull(device.removedAt),
      channels: device.channels.map((channel): Channel => {
        const health = states.healthOf(channel.id);
        const recording = states.recordingOf(channel.id);
        return {
          id: channel.id,
          deviceId: device.id,
          name: channel.name,
          placeId: channel.placeId,
          planX: channel.planX,
          planY: channel.planY,
          headingDeg: channel.headingDeg,
          fovDeg: channel.fovDeg,
          streams: channel.streams.map(toStreamInfo),
          hasPtz: channel.hasPtz,
          isRecorded: channel.isRecorded,
          health: health.state,
          healthReason: health.reason,
          healthSinceAt: toWireOrNull(health.sinceAt),
          recordingState: recording.state,
          recordingCause: recording.cause,
        };
      }),
    };
  }

  function textOf(device: DeviceRecord): string {
    const known = texts.get(device.id);
    if (known !== undefined) return known;
    const text = JSON.stringify(toDevice(device));
    texts.set(device.id, text);
    return text;
  }

  return {
    toDevice,
    toChannel(channelId) {
      const found = register.findChannel(channelId);
      return found && toDevice(found.device).channels.find((channel) => channel.id === channelId);
    },
    list() {
      if (!current) {
        const body = Buffer.from(`{"devices":[${register.list().map(textOf).join(',')}]}`);
        // Numbers start anew with each process; the epoch of the bus tells processes apart.
        current = { body, etag: `"${bus.epoch}-${++version}"` };
      }
      return current;
    },
  };
}
