import type { Static } from 'typebox';
import type {
  ChannelTimeline,
  Days,
  Export,
  ExportList,
  ExportRequest,
  Hold,
  HoldRequest,
  Playback,
  PlaybackRequest,
  Timeline,
} from '#api/footage/schema.ts';
import { api } from '../../lib/api.ts';
import { canDecodeH265 } from '../live/api.ts';

const wire = (at: number) => new Date(at).toISOString();

/** What is recorded between two instants (epoch ms), one entry per channel. @throws ApiError */
export async function loadTimelines(
  channelIds: readonly string[],
  fromAt: number,
  toAt: number,
  signal?: AbortSignal,
): Promise<ChannelTimeline[]> {
  if (channelIds.length === 0) return [];
  const body = { channelIds: [...channelIds], fromAt: wire(fromAt), toAt: wire(toAt) };
  const { channels } = await api.post<Static<typeof Timeline>>('/api/footage/timeline', body, signal);
  return channels;
}

/** Days of `month` (YYYY-MM) with footage, as YYYY-MM-DD. */
export async function listDays(channelId: string, month: string, signal?: AbortSignal): Promise<string[]> {
  const { days } = await api.get<Static<typeof Days>>('/api/footage/days', { channelId, month }, signal);
  return days;
}

/**
 * @param focusAt what the person wants to see: around it, what only the device has is fetched
 * @throws ApiError `footage.none` where nothing is recorded
 */
export function openPlayback(
  channelId: string,
  range: { fromAt: number; toAt: number },
  focusAt: number,
  signal?: AbortSignal,
): Promise<Playback> {
  const { fromAt, toAt } = range;
  const body: PlaybackRequest = {
    channelId,
    fromAt: wire(fromAt),
    toAt: wire(toAt),
    focusAt: wire(focusAt),
    canDecodeH265,
  };
  return api.post<Playback>('/api/footage/playback', body, signal);
}

/** How far a playback is fetched from its device. */
export function readPlayback(playback: Playback, signal?: AbortSignal): Promise<Playback> {
  return api.get<Playback>(playback.playlistUrl.replace(/\/index\.m3u8$/, ''), {}, signal);
}

export async function listExports(signal?: AbortSignal): Promise<Export[]> {
  const { exports } = await api.get<Static<typeof ExportList>>('/api/exports', {}, signal);
  return exports;
}

export function requestExport(
  channelId: string,
  fromAt: number,
  toAt: number,
  reason: string,
): Promise<Export> {
  const body: ExportRequest = { channelId, fromAt: wire(fromAt), toAt: wire(toAt), reason };
  return api.post<Export>('/api/exports', body);
}

/** Cancels one that is under way; deletes the file of one that has ended. */
export function dropExport(id: string): Promise<unknown> {
  return api.delete(`/api/exports/${encodeURIComponent(id)}`);
}

export function exportFileUrl(id: string): string {
  return `/api/exports/${encodeURIComponent(id)}/file`;
}

/** Keeps a range from being overwritten until it is released. */
export function holdFootage(channelId: string, fromAt: number, toAt: number, reason: string): Promise<Hold> {
  const body: Static<typeof HoldRequest> = { channelId, fromAt: wire(fromAt), toAt: wire(toAt), reason };
  return api.post<Hold>('/api/footage/holds', body);
}
