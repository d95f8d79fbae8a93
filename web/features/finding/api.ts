import type { Static } from 'typebox';
import type {
  Bookmark,
  CameraGroup,
  CameraGroupList,
  ChangeLine,
  ChangesRequest,
  FilmCell,
  Filmstrip,
  FootageEvents,
} from '#api/finding/schema.ts';
import { api, requestRaw, withQuery } from '../../lib/api.ts';

const wire = (at: number) => new Date(at).toISOString();

/** A picture taken out of the footage, to be shown by its address until `release` is called. */
export interface TakenPicture {
  readonly url: string;
  /** When the camera took it, epoch ms. */
  readonly at: number;
}

/** The key frame that shows `at`. @throws ApiError `footage.none` in a gap */
export async function loadFrame(
  channelId: string,
  at: number,
  width: number,
  signal?: AbortSignal,
): Promise<TakenPicture> {
  const path = withQuery('/api/footage/frame', { channelId, at: wire(at), width });
  const response = await requestRaw('GET', path, { ...(signal ? { signal } : {}) });
  const takenAt = Date.parse(response.headers.get('x-picture-at') ?? '');
  return { url: URL.createObjectURL(await response.blob()), at: takenAt };
}

/** `count` pictures evenly spread over a range; those of gaps have no address. */
export async function loadFilmstrip(
  channelId: string,
  range: { fromAt: number; toAt: number },
  count: number,
  signal?: AbortSignal,
): Promise<FilmCell[]> {
  const body = { channelId, fromAt: wire(range.fromAt), toAt: wire(range.toAt), count };
  return (await api.post<Static<typeof Filmstrip>>('/api/footage/filmstrip', body, signal)).cells;
}

/** The picture shown at `at` in full size, as the server cut it out, with its hash (which is on the trail). */
export async function takeSnapshot(
  channelId: string,
  at: number,
): Promise<{ png: Blob; at: number; sha256: string }> {
  const response = await requestRaw('POST', '/api/footage/snapshots', { body: { channelId, at: wire(at) } });
  return {
    png: await response.blob(),
    at: Date.parse(response.headers.get('x-picture-at') ?? ''),
    sha256: response.headers.get('x-picture-sha256') ?? '',
  };
}

/**
 * When an area of the picture changed: each line as it comes. Aborting `signal` ends the search on the server too.
 * @throws ApiError when it cannot begin
 */
export async function* searchChanges(
  channelId: string,
  range: { fromAt: number; toAt: number },
  area: ChangesRequest['area'],
  signal: AbortSignal,
): AsyncGenerator<ChangeLine, void, void> {
  const body: ChangesRequest = { channelId, fromAt: wire(range.fromAt), toAt: wire(range.toAt), area };
  const response = await requestRaw('POST', '/api/footage/changes', { body, signal, isLong: true });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  while (reader) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as ChangeLine;
  }
}

/** What happened at cameras in a range of at most 31 days. */
export function loadEvents(
  channelIds: readonly string[],
  range: { fromAt: number; toAt: number },
  signal?: AbortSignal,
): Promise<Static<typeof FootageEvents>> {
  const body = { channelIds: [...channelIds], fromAt: wire(range.fromAt), toAt: wire(range.toAt) };
  return api.post<Static<typeof FootageEvents>>('/api/footage/events', body, signal);
}

export function addBookmark(
  channelId: string,
  span: { fromAt: number; toAt: number | null },
  note: string,
): Promise<Bookmark> {
  const toAt = span.toAt === null ? null : wire(span.toAt);
  return api.post<Bookmark>('/api/footage/bookmarks', { channelId, fromAt: wire(span.fromAt), toAt, note });
}
export function removeBookmark(id: string): Promise<unknown> {
  return api.delete(`/api/footage/bookmarks/${encodeURIComponent(id)}`);
}

export async function listGroups(signal?: AbortSignal): Promise<CameraGroup[]> {
  return (await api.get<Static<typeof CameraGroupList>>('/api/camera-groups', {}, signal)).groups;
}
export function addGroup(name: string, channelIds: readonly string[]): Promise<CameraGroup> {
  return api.post<CameraGroup>('/api/camera-groups', { name, channelIds: [...channelIds] });
}
export function removeGroup(id: string): Promise<unknown> {
  return api.delete(`/api/camera-groups/${encodeURIComponent(id)}`);
}
