import { Cron } from 'croner';
import type { Logger } from '#api/log.ts';
import type { BackupService } from './service.ts';
import type { PlanRecord } from './target-store.ts';

/** Whether `text` is five cron fields of which a time comes. */
export function isSchedule(text: string): boolean {
  try {
    return /^\S+( \S+){4}$/.test(text) && new Cron(text, { paused: true }).nextRun() !== null;
  } catch {
    return false; // croner throws for whatever it cannot read, which is the answer
  }
}

/** Starts the plans when their time comes. */
export interface PlanClock {
  /** Takes up the plans as they now are. Safe to repeat; call after every change. */
  reload(): Promise<void>;
  /** When a plan is due next, epoch ms; null when it has no schedule or is off. */
  nextRunAt(planId: string): number | null;
  close(): void;
}

/** A time that comes while the server is down is missed; the next run begins where the last good one ended, so that no footage is. */
export function createPlanClock(options: {
  service: Pick<BackupService, 'listPlans' | 'runPlan'>;
  siteTimeZone: string;
  log: Logger;
}): PlanClock {
  const { service, siteTimeZone, log } = options;
  let clocks = new Map<string, Cron>();
  const stop = () => {
    for (const clock of clocks.values()) clock.stop();
    clocks = new Map();
  };
  const arm = (plan: PlanRecord, schedule: string) =>
    new Cron(schedule, { timezone: siteTimeZone, unref: true, protect: true }, async () => {
      try {
        await service.runPlan(plan.id, undefined);
      } catch (error) {
        log.warn({ planId: plan.id, err: error }, 'a backup plan could not be started');
      }
    });
  return {
    async reload() {
      const plans = await service.listPlans();
      stop();
      for (const plan of plans)
        if (plan.isEnabled && plan.schedule !== null) clocks.set(plan.id, arm(plan, plan.schedule));
    },
    nextRunAt: (planId) => clocks.get(planId)?.nextRun()?.getTime() ?? null,
    close: stop,
  };
}
