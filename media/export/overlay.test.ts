import { expect, it } from 'vitest';
import { captionTrack, filterValue, hideRegions, plainText } from './overlay.ts';

it('names cannot give orders to the renderer', () => {
  expect(plainText('{\\b1}大厅\\N{\\pos(0,0)}')).toBe('｛＼b1｝大厅＼N｛＼pos(0,0)｝');
  expect(plainText('a\nDialogue: 0\r\u202Eb\u0000c')).toBe('a Dialogue: 0 b c');
  expect(plainText('x'.repeat(500))).toHaveLength(200);
  const track = captionTrack([{ shownMs: 0, text: '1' }], 'a\n[Events]', {
    width: 640,
    height: 360,
    endMs: 40,
  });
  expect(track.match(/^\[Events\]$/gm)).toHaveLength(1);
});

it('each picture has its own text from its own time until the next one’s', () => {
  const frames = [0, 33.37, 66.73, 3_661_000].map((shownMs) => ({ shownMs, text: `at ${shownMs}` }));
  const lines = captionTrack(frames, '大厅', { width: 640, height: 360, endMs: 3_661_040 })
    .split('\n')
    .filter((line) => line.startsWith('Dialogue'));
  expect(lines.map((line) => line.slice('Dialogue: 0,'.length))).toEqual([
    '0:00:00.00,0:00:00.03,Stamp,at 0\\N大厅',
    '0:00:00.03,0:00:00.06,Stamp,at 33.37\\N大厅',
    '0:00:00.06,1:01:01.00,Stamp,at 66.73\\N大厅',
    '1:01:01.00,1:01:02.00,Stamp,at 3661000\\N大厅',
  ]);
});

it('regions are cut to even pixels inside the picture, and keep few blocks', () => {
  const picture = { width: 641, height: 361 };
  const labels = { from: 'in', to: 'out' };
  expect(hideRegions([], picture, labels)).toBe('[in]null[out]');
  const graph = hideRegions([{ x: 0.95, y: 0.95, width: 0.9, height: 0.9 }], picture, labels);
  const [, width, height, x, y] = (/crop=(\d+):(\d+):(\d+):(\d+)/.exec(graph) ?? []).map(Number) as number[];
  expect([width, height, x, y].every((value) => (value ?? 1) % 2 === 0)).toBe(true);
  expect((x ?? 0) + (width ?? 0)).toBeLessThanOrEqual(picture.width);
  expect((y ?? 0) + (height ?? 0)).toBeLessThanOrEqual(picture.height);
  const tall = hideRegions([{ x: 0, y: 0, width: 0.1, height: 1 }], picture, labels);
  expect(tall).toContain('scale=1:8:flags=area');
});

it('a path stays one value in a filter graph', () => {
  expect(filterValue("/a b/it's [x]:y,z;\\.ass")).toBe(String.raw`/a b/it\\\'s \[x\]\\:y\,z\;\\\\.ass`);
});
