import type { Static } from 'typebox';
import type {
  Channel,
  ChannelChange,
  Device,
  DeviceChange,
  DeviceList,
  PtzMove,
} from '#api/devices/schema.ts';
import { api } from '../../lib/api.ts';

const at = (kind: 'devices' | 'channels', id: string) => `/api/${kind}/${encodeURIComponent(id)}`;

/** The whole register with its channels. @throws ApiError */
export async function listDevices(signal?: AbortSignal): Promise<Device[]> {
  const { devices } = await api.get<Static<typeof DeviceList>>('/api/devices', {}, signal);
  return devices;
}

export function changeDevice(id: string, change: DeviceChange): Promise<Device> {
  return api.patch<Device>(at('devices', id), change);
}

/** Takes a device out of the register; one with footage is only switched off. */
export function deleteDevice(id: string): Promise<unknown> {
  return api.delete(at('devices', id));
}

export function changeChannel(id: string, change: ChannelChange): Promise<Channel> {
  return api.patch<Channel>(at('channels', id), change);
}

export function movePtz(id: string, move: Static<typeof PtzMove>): Promise<unknown> {
  return api.post(`${at('channels', id)}/ptz`, move);
}

/** Where a picture from the camera itself is to be had. */
export function snapshotUrl(id: string): string {
  return `${at('channels', id)}/snapshot`;
}
