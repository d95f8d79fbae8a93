import type { Static } from 'typebox';
import type { StreamKind } from '#api/devices/schema.ts';
import type { LiveSession, LiveStatus } from '#api/live/schema.ts';
import { api } from '../../lib/api.ts';

const hevcType = 'video/mp4; codecs="hvc1.1.6.L93.B0"';

/** Whether this browser decodes H.265; where it does not, the server is asked to transcode. */
export const canDecodeH265 = 'MediaSource' in globalThis && MediaSource.isTypeSupported(hevcType);

/** Starts or joins the live picture of a channel. @throws ApiError `channel.no-picture` while the camera gives none */
export function openLive(channelId: string, stream: StreamKind, signal?: AbortSignal): Promise<LiveSession> {
  return api.post<LiveSession>(
    `/api/channels/${encodeURIComponent(channelId)}/live`,
    { stream, canDecodeH265 },
    signal,
  );
}

export function getLiveStatus(
  channelId: string,
  stream: StreamKind,
  signal?: AbortSignal,
): Promise<Static<typeof LiveStatus>> {
  return api.get(`/api/channels/${encodeURIComponent(channelId)}/live/${stream}/status`, {}, signal);
}
