import type { HealthState } from '#api/devices/schema.ts';
import type { Verdict } from './schema.ts';

/** What is remembered of a channel between two looks. `streak` is the run of equal verdicts that the newest look belongs to. */
export interface ChannelMemory {
  readonly state: HealthState;
  readonly streakVerdict: Verdict | null;
  readonly streakCount: number;
}

export interface FaultThresholds {
  /** Looks in a row with the same bad verdict before it is a fault. At least 2: one lost look is never a fault. */
  readonly failuresToFault: number;
  /** Good looks in a row before a fault is over. */
  readonly successesToRecover: number;
}

export interface Step {
  readonly memory: ChannelMemory;
  readonly transition: 'none' | 'became-online' | 'fault-opened' | 'fault-changed' | 'recovered';
}

/** The memory of a channel nobody has looked at. */
export const unseen: ChannelMemory = { state: 'unknown', streakVerdict: null, streakCount: 0 };

/**
 * One step of the state machine. Pure.
 * unknown → online on the first good look; anything → degraded or offline only after `failuresToFault` equal bad looks in a row; back to
 * online only after `successesToRecover` good ones, so a camera that flaps keeps the state it had.
 */
export function step(before: ChannelMemory, verdict: Verdict, thresholds: FaultThresholds): Step {
  const streakCount = before.streakVerdict === verdict ? before.streakCount + 1 : 1;
  const keep = (state: HealthState): ChannelMemory => ({ state, streakVerdict: verdict, streakCount });
  const isFaulty = before.state === 'offline' || before.state === 'degraded';

  if (verdict === 'ok') {
    if (before.state === 'online') return { memory: keep('online'), transition: 'none' };
    if (before.state === 'unknown') return { memory: keep('online'), transition: 'became-online' };
    const isSure = streakCount >= thresholds.successesToRecover;
    return isSure
      ? { memory: keep('online'), transition: 'recovered' }
      : { memory: keep(before.state), transition: 'none' };
  }
  const badState = verdict === 'failed' ? 'offline' : 'degraded';
  if (before.state === badState || streakCount < Math.max(2, thresholds.failuresToFault))
    return { memory: keep(before.state), transition: 'none' };
  return { memory: keep(badState), transition: isFaulty ? 'fault-changed' : 'fault-opened' };
}
