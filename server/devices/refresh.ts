import { Cron } from 'croner';
import type { Learning } from './learning.ts';
import type { DeviceRegister } from './register.ts';

/** Clock, firmware and channels change rarely; six hours catch a drifting clock before it spoils a day of footage. */
const pattern = '17 */6 * * *';
const concurrency = 4;

/**
 * Asks every registered device anew: a few seconds after start and every six hours. A device that refuses its log-in sees one refused
 * try each time.
 */
export function createRefreshSchedule({
  register,
  learning,
}: {
  register: DeviceRegister;
  learning: Learning;
}) {
  const closing = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let cron: Cron | undefined;

  async function refreshAll(): Promise<void> {
    const waiting = register.list().filter((device) => device.isEnabled);
    const work = async () => {
      for (let device = waiting.shift(); device && !closing.signal.aborted; device = waiting.shift())
        await learning.refresh(device.id);
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  return {
    start(): void {
      const run = () => (running = refreshAll());
      cron = new Cron(pattern, { protect: true, unref: true }, run);
      void run(); // each device's failure is logged where it happens
    },
    /** Waits for the devices being asked. Close `learning` first, which cuts the conversations short. */
    async close(): Promise<void> {
      closing.abort();
      cron?.stop();
      await running;
    },
  };
}
