import { describe, expect, it } from 'vitest';
import { readNoticed } from './event-kinds.ts';
import type { OnvifEvent } from './events.ts';

const event = (topic: string, parts: Partial<OnvifEvent> = {}): OnvifEvent => ({
  topic,
  operation: 'Changed',
  source: { Source: 'VideoSource_1' },
  data: { State: 'true' },
  ...parts,
});

describe('what a camera noticed', () => {
  it.each([
    ['VideoSource/MotionAlarm', { State: 'true' }, 'motion', true],
    ['RuleEngine/CellMotionDetector/Motion', { IsMotion: '0' }, 'motion', false],
    ['RuleEngine/TamperDetector/Tamper', { IsTamper: 'TRUE' }, 'tamper', true],
    ['VideoSource/GlobalSceneChange/ImagingService', { State: 'false' }, 'tamper', false],
    ['VideoSource/SignalLoss', { State: '1' }, 'video-loss', true],
    ['RuleEngine/LineDetector/Crossed', { ObjectId: '7' }, 'alarm', undefined],
    ['Device/Trigger/DigitalInput', { LogicalState: 'true' }, 'alarm', true],
  ] as const)('%s is told', (topic, data, kind, isActive) => {
    expect(readNoticed(event(topic, { data }))).toMatchObject({ kind, isActive, tokens: ['VideoSource_1'] });
  });
  it('is nothing where a topic tells of the device itself', () => {
    for (const topic of ['Device/Trigger/Relay', 'RecordingConfig/JobState', 'Monitoring/ProcessorUsage', ''])
      expect(readNoticed(event(topic))).toBeUndefined();
  });
  it('is over when its source is deleted, and a state nobody understands is a pulse', () => {
    expect(readNoticed(event('VideoSource/MotionAlarm', { operation: 'Deleted' }))?.isActive).toBe(false);
    expect(
      readNoticed(event('VideoSource/MotionAlarm', { data: { State: 'maybe' } }))?.isActive,
    ).toBeUndefined();
    expect(readNoticed(event('VideoSource/MotionAlarm', { source: {} }))?.tokens).toEqual([]);
  });
});
