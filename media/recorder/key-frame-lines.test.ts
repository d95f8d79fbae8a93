import { expect, it } from 'vitest';
import { keyFrameLines } from './key-frame-lines.ts';

it("puts key frames on the files' time line, later by what makes the first decode time 0", () => {
  const read = keyFrameLines();
  expect(read('#tb 0: 1/90000')).toBeUndefined();
  expect(read('0,     -18000,          0,     6000,     3084, 0x1936b807')).toBe(200);
  expect(read('0,      78000,      90000,     6000,     3266, 0x021a3ae6, S=1,       16')).toBe(1200);
  expect(read('a-000000.mp4.part,0.000000,4.200000')).toBeUndefined();
});
