import { describe, expect, it } from 'vitest';
import { buildTimeline, type TimelineFacts } from './timeline.ts';

const minute = 60_000;
const run = (startedAt: number, endedAt: number | null, endReason: string | null = null) => ({
  startedAt,
  endedAt,
  endReason,
});
const build = (facts: Partial<TimelineFacts>) =>
  buildTimeline({
    range: { fromAt: 0, toAt: 100 * minute },
    now: 1000 * minute,
    recorded: [],
    onDevice: [],
    runs: [],
    removals: [],
    holds: [],
    ...facts,
  });

describe('buildTimeline', () => {
  it('counts files at most 1.5 s apart as one stretch', () => {
    const recorded = [
      { fromAt: 0, toAt: 50 * minute },
      { fromAt: 50 * minute + 1_500, toAt: 100 * minute },
    ];
    const timeline = build({ recorded, runs: [run(0, null)] });
    expect(timeline.spans).toEqual([{ fromAt: 0, toAt: 100 * minute }]);
    expect(timeline.gaps).toEqual([]);
  });
  it('says of a gap how the run before it ended', () => {
    const recorded = [
      { fromAt: 10 * minute, toAt: 20 * minute },
      { fromAt: 30 * minute, toAt: 40 * minute },
    ];
    const runs = [
      run(10 * minute, 20 * minute + 10_000, 'camera-lost'),
      run(30 * minute, 40 * minute, 'recording-off'),
    ];
    expect(build({ recorded, runs }).gaps).toEqual([
      { fromAt: 0, toAt: 10 * minute, cause: 'not-recorded-yet' },
      { fromAt: 20 * minute, toAt: 30 * minute, cause: 'camera-lost' },
      { fromAt: 40 * minute, toAt: 100 * minute, cause: 'recording-off' },
    ]);
  });
  it('does not invent a cause for a hole inside a run', () => {
    const recorded = [
      { fromAt: 0, toAt: 20 * minute },
      { fromAt: 30 * minute, toAt: 100 * minute },
    ];
    expect(build({ recorded, runs: [run(0, 100 * minute, 'server-stopped')] }).gaps).toEqual([
      { fromAt: 20 * minute, toAt: 30 * minute, cause: null },
    ]);
  });
  it('tells deleted footage from footage that never was', () => {
    const recorded = [{ fromAt: 60 * minute, toAt: 100 * minute }];
    const removals = [
      { fromAt: 10 * minute + 900, toAt: 30 * minute, cause: 'deleted-by-retention' },
      { fromAt: 30 * minute + 200, toAt: 50 * minute, cause: 'deleted-by-retention' },
    ];
    const runs = [run(10 * minute, 50 * minute, 'server-stopped'), run(60 * minute, null)];
    expect(build({ recorded, removals, runs }).gaps).toEqual([
      { fromAt: 0, toAt: 10 * minute + 900, cause: 'not-recorded-yet' },
      { fromAt: 10 * minute + 900, toAt: 50 * minute, cause: 'deleted-by-retention' },
      { fromAt: 50 * minute, toAt: 60 * minute, cause: 'server-stopped' },
    ]);
  });
  it('knows no gap in the future, nor in the seconds that are still on their way', () => {
    const now = 50 * minute;
    const recorded = [{ fromAt: 0, toAt: now - 8_000 }];
    expect(build({ now, recorded, runs: [run(0, null)] }).gaps).toEqual([]);
    expect(build({ now, recorded, runs: [run(0, now - 8_000, 'camera-lost')] }).gaps).toEqual([
      { fromAt: now - 8_000, toAt: now, cause: 'camera-lost' },
    ]);
    expect(build({ now: -1 }).gaps).toEqual([]);
  });
  it('cuts held stretches to the range and joins them', () => {
    const holds = [
      { fromAt: -5, toAt: 10 },
      { fromAt: 5, toAt: 20 },
    ];
    expect(build({ holds }).heldSpans).toEqual([{ fromAt: 0, toAt: 20 }]);
  });
});
