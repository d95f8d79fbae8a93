import type { Clock } from '../clock.ts';
import { pause } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';

/** What a supervised run is doing. `waiting` says why the last run ended and when the next one starts. */
export type SupervisorState =
  | { name: 'starting' }
  | { name: 'running' }
  | { name: 'waiting'; cause: MediaError; retryAt: number }
  | { name: 'stopped' };

/** How one run is done: it returns when the run is over and throws why; `markRunning` says that it works. */
export type SupervisedRun = (context: { signal: AbortSignal; markRunning: () => void }) => Promise<void>;

export interface Supervisor {
  state(): SupervisorState;
  /** How often a run was started again. */
  restarts(): number;
  /** Ends the run, waits for it, and starts no other. Safe to repeat. */
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** A run that worked this long is taken as proof that the trouble is over: the next delay is short again. */
const STABLE_MS = 30_000;

/** The pause before attempt `failures` + 1: doubles from 1 s to 30 s, ±20 % so that a fleet does not come back at once. */
export function backOffMs(failures: number, random: () => number = Math.random): number {
  const base = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(base * (0.8 + 0.4 * random()));
}

/** Runs `run` again and again until `stop`, with growing pauses. Errors of a run are states, never exceptions. */
export function supervise(options: {
  run: SupervisedRun;
  clock: Clock;
  log: Log;
  onState?: (state: SupervisorState) => void;
  random?: () => number;
}): Supervisor {
  const { run, clock, log } = options;
  const abort = new AbortController();
  let state: SupervisorState = { name: 'starting' };
  let restarts = 0;
  const enter = (next: SupervisorState) => {
    state = next;
    options.onState?.(next);
  };

  const loop = async () => {
    let failures = 0;
    while (!abort.signal.aborted) {
      enter({ name: 'starting' });
      let runningSince: number | undefined;
      const markRunning = () => {
        if (runningSince !== undefined || abort.signal.aborted) return;
        runningSince = clock.monotonic();
        enter({ name: 'running' });
      };
      let cause: MediaError;
      try {
        await run({ signal: abort.signal, markRunning });
        cause = new MediaError('no-media', 'the run ended by itself');
      } catch (error) {
        cause =
          error instanceof MediaError
            ? error
            : new MediaError('internal', 'the run failed unexpectedly', {}, { cause: error });
      }
      if (abort.signal.aborted) break;
      const wasStable = runningSince !== undefined && clock.monotonic() - runningSince >= STABLE_MS;
      failures = wasStable ? 1 : failures + 1;
      const delayMs = backOffMs(failures, options.random);
      log.warn({ err: cause, code: cause.code, delayMs, failures }, 'media run ended, will start again');
      enter({ name: 'waiting', cause, retryAt: clock.now() + delayMs });
      await pause(clock, delayMs, abort.signal);
      restarts += 1;
    }
    enter({ name: 'stopped' });
  };
  const finished = loop();

  return {
    state: () => state,
    restarts: () => restarts,
    async stop() {
      abort.abort();
      await finished;
    },
  };
}
