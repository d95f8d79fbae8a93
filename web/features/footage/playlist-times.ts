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

/** A hole this small between two fragments is rounding, not a gap. */
const holeMs = 600;

/** The fragment that holds an instant; also one that ended a moment before it, where the next begins a moment after. */
export function fragmentAt(fragments: readonly TimedFragment[], at: number): TimedFragment | undefined {
  const found = lastFrom(fragments, (fragment) => fragment.startAt <= at);
  return found && at < found.startAt + found.durationS * 1000 + holeMs ? found : undefined;
}

/** Player position of an instant that `fragment` holds; the end of the fragment at most, less a trifle that keeps the position inside. */
export function positionIn(fragment: TimedFragment, at: number): number {
  const offsetS = Math.max(0, at - fragment.startAt) / 1000;
  return fragment.startS + Math.min(offsetS, Math.max(0, fragment.durationS - 0.001));
}

/** The first fragment that begins after an instant. */
export function fragmentAfter(fragments: readonly TimedFragment[], at: number): TimedFragment | undefined {
  return fragments.find((fragment) => fragment.startAt > at);
}

/** The instant shown at a position of the player, epoch ms; undefined outside of all fragments. */
export function instantOf(fragments: readonly TimedFragment[], positionS: number): number | undefined {
  // Players report the position of a picture a hair before the start of its fragment.
  const found = lastFrom(fragments, (fragment) => fragment.startS <= positionS + 0.0005) ?? fragments[0];
  if (!found || positionS < found.startS - 0.5) return undefined;
  return found.startAt + Math.max(0, positionS - found.startS) * 1000;
}

/** The last of a sorted list for which `isBefore` holds, by halving: asked at every picture of nine players. */
function lastFrom<T>(list: readonly T[], isBefore: (item: T) => boolean): T | undefined {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = list[middle];
    if (item !== undefined && isBefore(item)) low = middle + 1;
    else high = middle;
  }
  return list[low - 1];
}
