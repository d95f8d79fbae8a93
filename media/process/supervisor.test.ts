import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../test/factories/fake-clock.ts';
import { MediaError } from '../errors.ts';
import { silentLog as log } from '../log.ts';
import { backOffMs, supervise, type SupervisorState } from './supervisor.ts';

describe('supervisor', () => {
  it('waits longer after each failure, up to 30 s, with a spread', () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((failures) => backOffMs(failures, () => 0.5))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ]);
    expect(backOffMs(1, () => 0)).toBe(800);
    expect(backOffMs(1, () => 1)).toBe(1200);
  });

  it('starts again after a failure, says why it waits, and forgets failures after a stable run', async () => {
    const clock = createFakeClock();
    const states: SupervisorState[] = [];
    let end: ((error: Error) => void) | undefined;
    const supervisor = supervise({
      clock,
      log,
      random: () => 0.5,
      onState: (state) => states.push(state),
      run: ({ markRunning }) => {
        markRunning();
        return new Promise((_resolve, reject) => {
          end = reject;
        });
      },
    });
    await clock.advance(10);
    end?.(new MediaError('unreachable', 'gone'));
    await clock.advance(999);
    expect(supervisor.state()).toMatchObject({ name: 'waiting', cause: { code: 'unreachable' } });
    await clock.advance(1);
    expect(supervisor.state().name).toBe('running');
    end?.(new MediaError('unreachable', 'gone'));
    await clock.advance(1_999);
    expect(supervisor.state().name).toBe('waiting');
    await clock.advance(1);
    expect(supervisor.state().name).toBe('running');
    await clock.advance(31_000);
    end?.(new Error('odd'));
    await clock.advance(0);
    expect(supervisor.state()).toMatchObject({ name: 'waiting', cause: { code: 'internal' } });
    await clock.advance(1_000);
    expect(supervisor.state().name).toBe('running');
    expect(supervisor.restarts()).toBe(3);
    expect(states.map((state) => state.name).slice(0, 3)).toEqual(['starting', 'running', 'waiting']);
  });

  it('stops while it waits and starts nothing more', async () => {
    const clock = createFakeClock();
    let runs = 0;
    const supervisor = supervise({
      clock,
      log,
      run: async () => {
        runs += 1;
        throw new MediaError('timeout', 'late');
      },
    });
    await clock.advance(1);
    await supervisor.stop();
    await supervisor.stop();
    await clock.advance(100_000);
    expect(runs).toBe(1);
    expect(supervisor.state().name).toBe('stopped');
  });
});
