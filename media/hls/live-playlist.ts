import type { LiveFragment } from './fragment-tail.ts';

/** Names inside a live playlist, relative to it: `init-<n>.mp4` and `<number>.m4s`. */
export const liveInitName = (initNumber: number): string => `init-${initNumber}.mp4`;
export const liveFragmentName = (number: number): string => `${number}.m4s`;

/** What a name inside a live playlist asks for; undefined for any other name. */
export function parseLiveName(name: string): { initNumber: number } | { number: number } | undefined {
  const [, init, fragment] = /^(?:init-(\d{1,9})\.mp4|(\d{1,12})\.m4s)$/.exec(name) ?? [];
  if (init !== undefined) return { initNumber: Number(init) };
  return fragment === undefined ? undefined : { number: Number(fragment) };
}

/** Length of a fragment as the playlist states it: up to the next one where that follows on, else its own. */
function durationMs(entries: readonly LiveFragment[], index: number): number {
  const entry = entries[index] as LiveFragment;
  const next = entries[index + 1];
  const end = next && !next.isDiscontinuity ? next.fragment.startMs : entry.fragment.endMs;
  return end - entry.fragment.startMs;
}

/**
 * A live media playlist (HLS, fragmented MP4, one entry a fragment with its own address, so that the server reads each from the
 * growing file and a proxy may cache it). Every entry carries its wall time where that is known.
 * `longestMs` is the longest fragment so far: the target duration must not shrink while a player watches.
 * Source: RFC 8216, 4.3 and 6.2.2; checked with hls.js and ffmpeg.
 */
export function livePlaylist(options: {
  entries: readonly LiveFragment[];
  discontinuitySequence: number;
  longestMs: number;
}): string {
  const { entries } = options;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.ceil(options.longestMs / 1000))}`,
    `#EXT-X-MEDIA-SEQUENCE:${entries[0]?.number ?? 0}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${options.discontinuitySequence}`,
  ];
  if (entries.every((entry) => entry.fragment.isKey)) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  let initNumber: number | undefined;
  for (const [index, entry] of entries.entries()) {
    if (entry.isDiscontinuity && index > 0) lines.push('#EXT-X-DISCONTINUITY');
    if (entry.initNumber !== initNumber || entry.isDiscontinuity) {
      lines.push(`#EXT-X-MAP:URI="${liveInitName(entry.initNumber)}"`);
      initNumber = entry.initNumber;
    }
    if (entry.startAt !== undefined)
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(entry.startAt).toISOString()}`);
    lines.push(`#EXTINF:${(durationMs(entries, index) / 1000).toFixed(3)},`, liveFragmentName(entry.number));
  }
  return `${lines.join('\n')}\n`;
}

/** The longest fragment of these, in ms. */
export function longestFragmentMs(entries: readonly LiveFragment[]): number {
  return entries.reduce((most, _entry, index) => Math.max(most, durationMs(entries, index)), 0);
}
