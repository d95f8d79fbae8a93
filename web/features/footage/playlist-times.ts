/** One entry of a media playlist: where it lies in the recording and in the player. */
export interface TimedFragment {
  /** Wall clock of its first picture, epoch ms. */
  readonly startAt: number;
  /** Seconds from the start of the playlist. */
  readonly startS: number;
  readonly durationS: number;
}

/** Reads `#EXTINF` and `#EXT-X-PROGRAM-DATE-TIME` of a media playlist; a fragment without a date follows the one before it. */
export function readPlaylistTimes(playlist: string): TimedFragment[] {
  const fragments: TimedFragment[] = [];
  let startS = 0;
  let nextAt = NaN;
  for (const line of playlist.split('\n')) {
    if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) nextAt = Date.parse(line.slice(line.indexOf(':') + 1));
    if (!line.startsWith('#EXTINF:')) continue;
    const durationS = Number.parseFloat(line.slice('#EXTINF:'.length));
    if (!(durationS >= 0)) continue;
    if (!Number.isNaN(nextAt)) fragments.push({ startAt: nextAt, startS, durationS });
    startS += durationS;
    nextAt += durationS * 1000;
  }
  return fragments;
}

/** Player position of an instant: inside a fragment exactly, in a gap the start of what follows; undefined after the end. */
export function positionOf(fragments: readonly TimedFragment[], at: number): number | undefined {
  const fragment = fragments.find(({ startAt, durationS }) => at < startAt + durationS * 1000);
  return fragment && fragment.startS + Math.max(0, at - fragment.startAt) / 1000;
}
