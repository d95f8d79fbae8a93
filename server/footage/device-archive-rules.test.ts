import { describe, expect, it } from 'vitest';
import { holesIn, matchRecordings, piecesToFetch, playableRange, skewToUse } from './device-archive-rules.ts';

const s = 1_000;
const minute = 60 * s;
const span = (fromS: number, toS: number) => ({ fromAt: fromS * s, toAt: toS * s });

describe('the clock of a device', () => {
  it('is corrected by what was measured, and a second of doubt moves nothing', () => {
    expect(skewToUse(700, null)).toBe(0);
    expect(skewToUse(600_400, null)).toBe(600_400);
    expect(skewToUse(601_200, 600_400)).toBe(600_400);
    expect(skewToUse(-3 * s, 600_400)).toBe(-3 * s);
    expect(skewToUse(300, 600_400)).toBe(300);
  });
});

describe('whose a recording is', () => {
  const channel = (channelId: string, sourceToken: string) => ({
    channelId,
    sourceToken,
    profileTokens: [`p-${sourceToken}`],
  });
  const channels = [channel('c1', 'v1'), channel('c2', 'v2')];
  const ownersOf = (sourceIds: (string | undefined)[], of = channels) =>
    matchRecordings(
      sourceIds.map((sourceId) => (sourceId === undefined ? {} : { sourceId })),
      of,
    ).map(({ channelId }) => channelId);

  it('is told by its video source or a profile, and never guessed', () => {
    expect(ownersOf(['v2', 'p-v1', 'v9', undefined])).toEqual(['c2', 'c1']);
  });
  it('goes without saying on a camera with one channel', () => {
    expect(ownersOf(['whatever', undefined], [channel('c1', 'v1')])).toEqual(['c1', 'c1']);
  });
});

describe('holes of own footage', () => {
  it('are what a device could fill', () => {
    expect(holesIn([span(10, 20), span(21, 30), span(40, 50)], span(5, 60), 1_000 * s)).toEqual([
      span(5, 10),
      span(30, 40),
      span(50, 60),
    ]);
  });
  it('are the whole range, however short, where nothing was recorded here', () => {
    expect(holesIn([], span(0, 1), 1_000 * s)).toEqual([span(0, 1)]);
  });
  it('are not what may still come', () => {
    expect(holesIn([span(0, 50)], span(0, 100), 60 * s)).toEqual([]);
    expect(holesIn([], span(100, 200), 60 * s)).toEqual([]);
  });
});

describe('what must be fetched', () => {
  const held = [span(0, 600)];

  it('is cut at whole minutes and begins early enough for a key picture', () => {
    expect(piecesToFetch([span(130, 190)], held, [])).toEqual([
      span(60, 120),
      span(120, 180),
      span(180, 240),
    ]);
    expect(piecesToFetch([span(150, 170)], held, [])).toEqual([span(120, 180)]);
  });
  it('is only what the device holds, its second of rounding allowed for', () => {
    expect(piecesToFetch([span(0, 900)], [{ fromAt: 65_400, toAt: 90 * s }], [])).toEqual([span(65, 92)]);
    expect(piecesToFetch([span(700, 800)], held, [])).toEqual([]);
  });
  it('is not what is here', () => {
    const piece = { ...span(120, 180), isWhole: true };
    expect(piecesToFetch([span(150, 200)], held, [piece])).toEqual([span(180, 240)]);
  });
  it('is again what was still growing, once there is more', () => {
    const piece = { ...span(120, 140), isWhole: false };
    expect(piecesToFetch([span(135, 140)], [span(0, 138)], [piece])).toEqual([]);
    expect(piecesToFetch([span(135, 140)], held, [piece])).toEqual([span(120, 180)]);
    expect(piecesToFetch([span(135, 140)], held, [{ ...piece, isWhole: true }])).toEqual([]);
  });
});

describe('what one playback shows', () => {
  const range = span(0, 7_200);

  it('is all of it where nothing must be fetched', () => {
    expect(playableRange(range, [], [], 600 * s)).toEqual(range);
  });
  it('is two minutes of what must be fetched, around what the person wants to see', () => {
    expect(playableRange(range, [range], [], 600 * s)).toEqual({
      fromAt: 580 * s,
      toAt: 580 * s + 2 * minute,
    });
  });
  it('adds up short stretches, and shows what lies between', () => {
    const slow = [span(900, 960), span(2_000, 2_030), span(3_000, 3_600)];
    expect(playableRange(range, slow, [], 600 * s)).toEqual(span(0, 3_030));
  });
  it('does not let what is here wait for what comes later', () => {
    expect(playableRange(range, [span(3_000, 3_600)], [span(0, 3_000)], 600 * s)).toEqual(span(0, 3_000));
    expect(playableRange(range, [span(650, 660)], [span(0, 650)], 600 * s)).toEqual(range);
  });
  it('begins behind a long stretch before it', () => {
    expect(playableRange(range, [span(100, 400)], [], 600 * s)).toEqual(span(400, 7_200));
  });
});
