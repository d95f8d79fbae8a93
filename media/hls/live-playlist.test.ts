import { describe, expect, it } from 'vitest';
import { mediaMs, wallMs } from '../time.ts';
import type { LiveFragment } from './fragment-tail.ts';
import { livePlaylist, longestFragmentMs, parseLiveName } from './live-playlist.ts';

function entry(number: number, startMs: number, more: Partial<LiveFragment> = {}): LiveFragment {
  return {
    number,
    runId: 'a',
    initNumber: 0,
    startAt: wallMs(1_750_000_000_000 + startMs),
    isDiscontinuity: false,
    fragment: {
      startMs: mediaMs(startMs),
      endMs: mediaMs(startMs + 990),
      isKey: true,
    } as LiveFragment['fragment'],
    init: {} as LiveFragment['init'],
    ...more,
  };
}

describe('live playlist', () => {
  it('states wall time, the distance to the next fragment, and one init segment', () => {
    const text = livePlaylist({
      entries: [entry(7, 0), entry(8, 1000)],
      discontinuitySequence: 2,
      longestMs: 1000,
    });
    expect(text).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:7',
        '#EXT-X-TARGETDURATION:1',
        '#EXT-X-MEDIA-SEQUENCE:7',
        '#EXT-X-DISCONTINUITY-SEQUENCE:2',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-MAP:URI="init-0.mp4"',
        '#EXT-X-PROGRAM-DATE-TIME:2025-06-15T15:06:40.000Z',
        '#EXTINF:1.000,',
        '7.m4s',
        '#EXT-X-PROGRAM-DATE-TIME:2025-06-15T15:06:41.000Z',
        '#EXTINF:0.990,',
        '8.m4s',
        '',
      ].join('\n'),
    );
  });

  it('marks a new run, gives its init segment again, and never measures across it', () => {
    const entries = [entry(1, 50_000), entry(2, 200, { runId: 'b', initNumber: 1, isDiscontinuity: true })];
    const text = livePlaylist({ entries, discontinuitySequence: 0, longestMs: longestFragmentMs(entries) });
    expect(text).toContain('#EXTINF:0.990,\n1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init-1.mp4"');
    expect(longestFragmentMs(entries)).toBe(990);
  });

  it('does not promise independent fragments where a long group is cut, nor a wall time that is not known', () => {
    const cut = entry(1, 0);
    const entries = [{ ...cut, startAt: undefined, fragment: { ...cut.fragment, isKey: false } }];
    const text = livePlaylist({ entries, discontinuitySequence: 0, longestMs: 990 });
    expect(text).not.toContain('INDEPENDENT');
    expect(text).not.toContain('DATE-TIME');
  });

  it('reads its own names and no others', () => {
    expect(parseLiveName('init-3.mp4')).toEqual({ initNumber: 3 });
    expect(parseLiveName('12.m4s')).toEqual({ number: 12 });
    for (const name of ['../1.m4s', '1.m4s/..', 'init-.mp4', 'x', '-1.m4s'])
      expect(parseLiveName(name)).toBeUndefined();
  });
});
