import { describe, expect, it } from 'vitest';
import { step, unseen, type ChannelMemory, type FaultThresholds, type Step } from './fault-rules.ts';
import type { Verdict } from './schema.ts';

const thresholds: FaultThresholds = { failuresToFault: 3, successesToRecover: 2 };

function walk(verdicts: readonly Verdict[], from: ChannelMemory = unseen): Step[] {
  const steps: Step[] = [];
  let memory = from;
  for (const verdict of verdicts) {
    const next = step(memory, verdict, thresholds);
    steps.push(next);
    memory = next.memory;
  }
  return steps;
}
const transitions = (verdicts: readonly Verdict[]) => walk(verdicts).map((entry) => entry.transition);

describe('fault rules', () => {
  it('calls a channel online on the first good look', () => {
    expect(transitions(['ok', 'ok'])).toEqual(['became-online', 'none']);
  });

  it('opens one fault after three failures in a row, not before and not again', () => {
    expect(transitions(['ok', 'failed', 'failed', 'failed', 'failed'])).toEqual([
      'became-online',
      'none',
      'none',
      'fault-opened',
      'none',
    ]);
  });

  it('opens a fault for a channel that never answered', () => {
    expect(walk(['failed', 'failed']).at(-1)?.memory.state).toBe('unknown');
    expect(transitions(['failed', 'failed', 'failed']).at(-1)).toBe('fault-opened');
  });

  it('ignores single lost looks, however often they come', () => {
    const flapping: Verdict[] = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 'ok' : 'failed'));
    expect(new Set(transitions(flapping))).toEqual(new Set(['became-online', 'none']));
  });

  it('recovers only after two good looks in a row', () => {
    expect(transitions(['failed', 'failed', 'failed', 'ok', 'failed', 'ok', 'ok'])).toEqual([
      'none',
      'none',
      'fault-opened',
      'none',
      'none',
      'none',
      'recovered',
    ]);
  });

  it('changes a degraded fault to offline instead of opening a second one', () => {
    expect(transitions(['degraded', 'degraded', 'degraded', 'failed', 'failed', 'failed'])).toEqual([
      'none',
      'none',
      'fault-opened',
      'none',
      'none',
      'fault-changed',
    ]);
  });

  it('never takes one failure for a fault, even if told to', () => {
    const hasty = { failuresToFault: 1, successesToRecover: 1 };
    expect(step({ state: 'online', streakVerdict: 'ok', streakCount: 9 }, 'failed', hasty).transition).toBe(
      'none',
    );
  });
});
