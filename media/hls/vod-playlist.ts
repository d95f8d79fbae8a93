import { MediaError } from '../errors.ts';
import { wallMs, type WallMs } from '../time.ts';
import {
  fragmentRange,
  GAP_MS,
  isInWindow,
  readFootage,
  type FootageFile,
  type FootageSegment,
} from './footage.ts';

/** One entry of an archive playlist: whole fragments of one file, starting with a key frame. */
export interface VodEntry<T extends FootageSegment = FootageSegment> {
  segment: T;
  startAt: WallMs;
  durationMs: number;
  initBytes: number;
  offset: number;
  sizeBytes: number;
  setupHash: string;
  codecs: string;
  /** Another run, another setup, or a hole before it. */
  isDiscontinuity: boolean;
}

/** Short groups of pictures are put together up to this length, to keep requests few. */
const ENTRY_MS = 4_000;
const SEGMENTS_LIMIT = 1_500;

/**
 * What to play for a range of wall time, in order: the groups of pictures of `segments` (in time order) that touch it. It
 * begins with the key frame at or before `fromAt` and is empty where nothing was recorded.
 * @throws MediaError `too-large` for more than 1,500 segments (a day of one-minute files), `bad-output`, `rejected`
 */
export async function planVod<T extends FootageSegment>(
  segments: readonly T[],
  range: { fromAt: WallMs; toAt: WallMs },
): Promise<VodEntry<T>[]> {
  const wanted = segments.filter(
    (each) => each.startAt < range.toAt && (each.isOpen || each.startAt + each.durationMs > range.fromAt),
  );
  if (wanted.length > SEGMENTS_LIMIT) throw new MediaError('too-large', 'the range has too many segments');
  const entries: VodEntry<T>[] = [];
  for (const segment of wanted) {
    const file = await readFootage(segment);
    for (const entry of groupPictures(file)) {
      if (entry.startAt >= range.toAt || entry.startAt + entry.durationMs <= range.fromAt) continue;
      const toAt = wallMs(entry.startAt + entry.durationMs);
      if (!isInWindow(segment, { fromAt: entry.startAt, toAt })) continue;
      const before = entries.at(-1);
      const hole = before ? entry.startAt - (before.startAt + before.durationMs) : 0;
      const isSame = before?.segment.runId === segment.runId && before.setupHash === entry.setupHash;
      entries.push({
        ...entry,
        isDiscontinuity: before !== undefined && (!isSame || Math.abs(hole) > GAP_MS),
      });
    }
  }
  return entries;
}

function groupPictures<T extends FootageSegment>(
  file: FootageFile<T>,
): Omit<VodEntry<T>, 'isDiscontinuity'>[] {
  const groups: Omit<VodEntry<T>, 'isDiscontinuity'>[] = [];
  for (const fragment of file.fragments) {
    const { fromAt, toAt } = fragmentRange(file, fragment);
    const open = groups.at(-1);
    if (open && (!fragment.isKey || open.durationMs + (toAt - fromAt) <= ENTRY_MS)) {
      open.durationMs = toAt - open.startAt;
      open.sizeBytes = fragment.offset + fragment.sizeBytes - open.offset;
      continue;
    }
    groups.push({
      segment: file.segment,
      startAt: fromAt,
      durationMs: toAt - fromAt,
      initBytes: file.init.sizeBytes,
      offset: fragment.offset,
      sizeBytes: fragment.sizeBytes,
      setupHash: file.init.setupHash,
      codecs: file.init.codecs,
    });
  }
  return groups;
}

/** How the entries of a playlist are addressed. */
export interface VodAddresses<T extends FootageSegment> {
  /** `ranges`: one address a file, parts as byte ranges. `chunks`: one address an entry, as a transcoder answers. */
  kind: 'ranges' | 'chunks';
  media: (entry: VodEntry<T>) => string;
  init: (entry: VodEntry<T>) => string;
}

/**
 * Renders a finished media playlist: a discontinuity at every hole and run, an init segment where it changes, and the wall time
 * at each entry, so that a player can show the camera's clock across holes. Source: RFC 8216, 4.3.
 */
export function vodPlaylist<T extends FootageSegment>(
  entries: readonly VodEntry<T>[],
  addresses: VodAddresses<T>,
): string {
  const longest = entries.reduce((most, entry) => Math.max(most, entry.durationMs), 1_000);
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    `#EXT-X-TARGETDURATION:${Math.ceil(longest / 1000)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  let setup: string | undefined;
  for (const entry of entries) {
    if (entry.isDiscontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (entry.setupHash !== setup || entry.isDiscontinuity) {
      const part = addresses.kind === 'ranges' ? `,BYTERANGE="${entry.initBytes}@0"` : '';
      lines.push(`#EXT-X-MAP:URI="${addresses.init(entry)}"${part}`);
      setup = entry.setupHash;
    }
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(entry.startAt).toISOString()}`);
    lines.push(`#EXTINF:${(entry.durationMs / 1000).toFixed(3)},`);
    if (addresses.kind === 'ranges') lines.push(`#EXT-X-BYTERANGE:${entry.sizeBytes}@${entry.offset}`);
    lines.push(addresses.media(entry));
  }
  lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}
