import type { SimDevice } from '../device.ts';
import { readFrameStamps, type FrameStamp, type ReadOptions } from '../frame-stamp.ts';

/** A loopback network of this process's own, so that test files and a running demo do not meet. */
export function ownSubnet(offset: number): string {
  return `127.${100 + (process.pid % 100)}.${(process.ppid + offset) % 250}`;
}

/** The stream's URL with its device's user and password. */
export function urlWithPassword(device: SimDevice, index = 0): string {
  const { user, password } = device.spec;
  const account = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return device.rtspUrl(device.streams[index]!).replace('rtsp://', `rtsp://${account}@`);
}

/** Stamps read live from a stream, over TCP unless told otherwise. */
export function liveStamps(
  device: SimDevice,
  index: number,
  options: ReadOptions & { transport?: 'tcp' | 'udp' } = {},
): Promise<Array<FrameStamp | null>> {
  const { transport = 'tcp', ...rest } = options;
  const input = ['-rtsp_transport', transport, '-timeout', '5000000', '-analyzeduration', '200000'];
  return readFrameStamps(urlWithPassword(device, index), { input, maxFrames: 8, ...rest });
}
