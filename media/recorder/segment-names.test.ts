import { expect, it } from 'vitest';
import { wallMs } from '../time.ts';
import {
  dayFolder,
  newRunId,
  parsePartName,
  parseSegmentName,
  partName,
  segmentName,
} from './segment-names.ts';

it('reads back what it writes, so that the index can be rebuilt from files alone', () => {
  const name = { startAt: wallMs(1_750_000_000_123), durationMs: 60_040, runId: newRunId(1_750_000_000_000) };
  expect(parseSegmentName(`/any/${segmentName(name)}`)).toEqual(name);
  expect(parsePartName(`/any/${partName(name.runId, 12)}`)).toEqual({ runId: name.runId, sequence: 12 });
});

it('takes no other file for a segment', () => {
  for (const name of [
    '1_2_x.mp4',
    '1750000000123_60040_a.mp4.part',
    '1750000000123_60040_../a.mp4',
    'clip.mp4',
    '',
  ]) {
    expect(parseSegmentName(name)).toBeUndefined();
    expect(parsePartName(name)).toBeUndefined();
  }
});

it('files a segment under its UTC day', () => {
  expect(dayFolder('/rec', wallMs(Date.parse('2026-03-01T00:30:00+08:00')))).toBe('/rec/2026-02-28');
});
