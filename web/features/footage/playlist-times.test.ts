import { expect, it } from 'vitest';
import { positionOf, readPlaylistTimes } from './playlist-times.ts';

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

it('knows where each fragment lies on both clocks, over a gap too', () => {
  expect(readPlaylistTimes(playlist)).toEqual([
    { startAt: eight, startS: 0, durationS: 2 },
    { startAt: eight + 2000, startS: 2, durationS: 1.5 },
    { startAt: eight + 60_000, startS: 3.5, durationS: 2 },
  ]);
});

it.each([
  [-5_000, 0],
  [2_500, 2.5],
  [30_000, 3.5],
  [61_000, 4.5],
  [70_000, undefined],
])('shows the instant %i ms after eight at position %s', (offset, position) => {
  expect(positionOf(readPlaylistTimes(playlist), eight + offset)).toBe(position);
});
