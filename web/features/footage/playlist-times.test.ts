import { describe, expect, it } from 'vitest';
import { fragmentAfter, fragmentAt, instantOf, positionIn, readPlaylistTimes } from './playlist-times.ts';

const playlist = `#EXTM3U
#EXT-X-MAP:URI="a.mp4",BYTERANGE="885@0"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:00:00.000Z
#EXTINF:2.000,
#EXT-X-BYTERANGE:10@885
a.mp4
#EXTINF:1.500,
a.mp4
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T08:01:00.000Z
#EXTINF:2.000,
b.mp4
#EXT-X-ENDLIST`;
const eight = Date.parse('2026-11-24T08:00:00Z');
const fragments = readPlaylistTimes(playlist);

it('knows where each fragment lies on both clocks, over a gap too', () => {
  expect(fragments).toEqual([
    { startAt: eight, startS: 0, durationS: 2 },
    { startAt: eight + 2000, startS: 2, durationS: 1.5 },
    { startAt: eight + 60_000, startS: 3.5, durationS: 2 },
  ]);
});

describe('the position of an instant', () => {
  const positionOf = (offset: number) => {
    const fragment = fragmentAt(fragments, eight + offset);
    return fragment && positionIn(fragment, eight + offset);
  };
  it.each([
    [-5_000, undefined],
    [0, 0],
    [2_500, 2.5],
    [3_600, 3.499],
    [30_000, undefined],
    [61_000, 4.5],
    [70_000, undefined],
  ])('%i ms after eight is %s', (offset, position) => {
    const found = positionOf(offset);
    if (position === undefined) expect(found).toBeUndefined();
    else expect(found).toBeCloseTo(position, 6);
  });
  it('and back', () => {
    for (const offset of [0, 1_999, 2_000, 3_499, 60_000, 61_999])
      expect(instantOf(fragments, positionOf(offset) ?? -1)).toBeCloseTo(eight + offset, 3);
    expect(instantOf(fragments, -1)).toBeUndefined();
    expect(instantOf([], 1)).toBeUndefined();
  });
  it('in a gap there is the fragment after it to wait for', () => {
    expect(fragmentAfter(fragments, eight + 30_000)?.startAt).toBe(eight + 60_000);
    expect(fragmentAfter(fragments, eight + 60_000)).toBeUndefined();
  });
});
