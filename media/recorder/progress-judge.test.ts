import { describe, expect, it } from 'vitest';
import { judgeProgress, type ProgressJudge } from './progress-judge.ts';

/** Plays one progress a second at 25 frames/s; `outTimeMs` says where the media stands at each. */
function play(seconds: number, outTimeMs: (second: number) => number): ProgressJudge {
  let judge: ProgressJudge | undefined;
  for (let second = 0; second < seconds; second += 1) {
    judge = judgeProgress(judge, {
      monotonicMs: second * 1000,
      outTimeMs: outTimeMs(second),
      frames: second * 25,
    });
    if (judge.verdict !== 'ok') return judge;
  }
  if (!judge) throw new Error('nothing was played');
  return judge;
}

describe('progress judge', () => {
  it('is content with a steady stream, with a burst at its start, and with a late network', () => {
    expect(play(60, (second) => second * 1000).verdict).toBe('ok');
    expect(play(60, (second) => second * 1000 + Math.min(second, 2) * 4000).verdict).toBe('ok');
    expect(
      play(60, (second) => (second > 20 && second < 28 ? 20_000 + (second - 20) * 150 : second * 1000))
        .verdict,
    ).toBe('ok');
  });

  it('sees a camera clock that leaps ahead', () => {
    const judge = play(60, (second) => second * 1000 + (second >= 30 ? 3_600_000 : 0));
    expect(judge).toMatchObject({ verdict: 'jumped-ahead', isSound: false });
  });

  it('sees a camera clock that goes back: frames come but the time stands', () => {
    const judge = play(60, (second) => Math.min(second * 1000, 30_000));
    expect(judge).toMatchObject({ verdict: 'jumped-back', isSound: false });
  });
});
