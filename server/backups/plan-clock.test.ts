import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '#api/log.ts';
import { createPlanClock, isSchedule } from './plan-clock.ts';
import type { PlanRecord } from './target-store.ts';

const plan = (change: Partial<PlanRecord>): PlanRecord => ({
  id: 'p',
  targetId: 't',
  targetName: 't',
  name: 'nightly',
  schedule: '30 2 * * *',
  channelIds: null,
  lastHours: 24,
  isHeldOnly: false,
  isEnabled: true,
  copiedToAt: null,
  ...change,
});
beforeEach(() => vi.useFakeTimers({ now: Date.parse('2026-11-24T12:00:00Z') }));
afterEach(() => vi.useRealTimers());

it('starts each plan that is on at its time in the site zone, and goes on after one that could not start', async () => {
  const started: string[] = [];
  const plans = [
    plan({ id: 'on' }),
    plan({ id: 'off', isEnabled: false }),
    plan({ id: 'by-hand', schedule: null }),
    plan({ id: 'refused', schedule: '0 * * * *' }),
  ];
  const clock = createPlanClock({
    service: {
      listPlans: async () => plans,
      async runPlan(id) {
        started.push(`${id} ${new Date().toISOString()}`);
        if (id === 'refused') throw new Error('still under way');
        return id;
      },
    },
    siteTimeZone: 'Asia/Shanghai',
    log: createLogger({ logLevel: 'silent' }),
  });
  await clock.reload();
  expect(clock.nextRunAt('on')).toBe(Date.parse('2026-11-24T18:30:00Z'));
  expect([clock.nextRunAt('off'), clock.nextRunAt('by-hand')]).toEqual([null, null]);
  await vi.advanceTimersByTimeAsync(24 * 3_600_000 - 1);
  expect(started.filter((line) => !line.startsWith('refused'))).toEqual(['on 2026-11-24T18:30:00.000Z']);
  expect(started.filter((line) => line.startsWith('refused'))).toHaveLength(23);
  clock.close();
  await vi.advanceTimersByTimeAsync(24 * 3_600_000);
  expect(started).toHaveLength(24);
});

it('takes five fields of which a time comes, and nothing else', () => {
  expect(['30 2 * * *', '*/5 * * * 1-5', '0 0 29 2 *'].filter(isSchedule)).toHaveLength(3);
  const wrong = ['', 'never', '0 0 30 2 *', '* * * * * *', '61 * * * *', '@daily', '30 2  * * *'];
  expect(wrong.filter(isSchedule)).toEqual([]);
});
