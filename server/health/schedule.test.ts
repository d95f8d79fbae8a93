import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSchedule, type ScheduleOptions } from './schedule.ts';

describe('probe schedule', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function make(options: Partial<ScheduleOptions> & Pick<ScheduleOptions, 'list' | 'look'>) {
    return createSchedule({
      onError: (_id, error) => {
        throw error;
      },
      intervalMs: () => 30_000,
      spread: () => 0,
      concurrency: 8,
      deadlineMs: 20_000,
      now: Date.now,
      ...options,
    });
  }
  const fleet = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ channelId: `c${i}`, deviceId: `d${i}` }));

  it('looks at each channel once per interval', async () => {
    const seen: string[] = [];
    const schedule = make({
      list: () => fleet(3),
      look: async (id) => {
        seen.push(id);
        return 30_000;
      },
    });
    schedule.start();
    await vi.advanceTimersByTimeAsync(91_000);
    await schedule.close();
    expect(seen.filter((id) => id === 'c1')).toHaveLength(4);
  });

  it('lets a hung device delay nobody else and frees its place at the deadline', async () => {
    const seen: string[] = [];
    const aborted: string[] = [];
    const schedule = make({
      list: () => fleet(4),
      concurrency: 2,
      look: (id, signal) => {
        seen.push(id);
        if (id !== 'c0') return Promise.resolve(30_000);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted.push(id);
            resolve(30_000);
          });
        });
      },
    });
    schedule.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(seen.toSorted()).toEqual(['c0', 'c1', 'c2', 'c3']);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(aborted).toEqual(['c0']);
    await schedule.close();
  });

  it('never asks one device twice at once', async () => {
    let running = 0;
    let most = 0;
    const schedule = make({
      list: () => Array.from({ length: 8 }, (_, i) => ({ channelId: `c${i}`, deviceId: 'nvr' })),
      look: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 400));
        running--;
        return 30_000;
      },
    });
    schedule.start();
    await vi.advanceTimersByTimeAsync(10_000);
    await schedule.close();
    expect(most).toBe(1);
  });

  it('forgets a channel that is gone and spreads a new fleet over the first ten seconds', async () => {
    let channels = fleet(2);
    const seen: string[] = [];
    const spread = vi.fn<() => number>().mockReturnValueOnce(0).mockReturnValueOnce(0.9);
    const schedule = make({
      list: () => channels,
      spread,
      look: async (id) => {
        seen.push(id);
        return 30_000;
      },
    });
    schedule.start();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(seen).toEqual(['c0']);
    channels = [];
    await vi.advanceTimersByTimeAsync(60_000);
    await schedule.close();
    expect(seen).toEqual(['c0']);
  });
});
