import type { StreamInfo } from '#api/devices/schema.ts';
import { fmt } from '../../lib/time.svelte.ts';
import { m } from '../../paraglide/messages.js';

/** `H.264 1280×720 25/s`; what the device does not say is left out. */
export function streamText(stream: StreamInfo): string {
  const codec = { H264: 'H.264', H265: 'H.265', JPEG: 'JPEG', other: m.common_unknown() }[stream.codec];
  const size = stream.widthPx && stream.heightPx ? `${stream.widthPx}×${stream.heightPx}` : null;
  const rate = stream.frameRateFps === null ? null : `${fmt().number(stream.frameRateFps)}/s`;
  const audio = stream.hasAudio ? m.devices_with_audio() : null;
  return [codec, size, rate, audio].filter((part) => part !== null).join(' ');
}

/** How far a device's clock is off, in words: right within two seconds. */
export function skewText(skewMs: number | null): string {
  if (skewMs === null) return m.common_unknown();
  if (Math.abs(skewMs) < 2_000) return m.devices_clock_right();
  const length = fmt().duration(skewMs);
  return skewMs > 0 ? m.devices_clock_ahead({ length }) : m.devices_clock_behind({ length });
}
