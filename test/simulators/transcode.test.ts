import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeStill } from '#media/export/still.ts';
import { transcodeClip, type TranscodeOptions } from '#media/export/transcode-clip.ts';
import { silentLog as log } from '#media/log.ts';
import { words } from '#media/process/words.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import { wallMs } from '#media/time.ts';
import { asFootage, writeRun } from '../fixtures/synthetic-run.ts';

const run = promisify(execFile);
const T0 = Date.parse('2026-03-01T08:00:00Z');
const [width, height] = [64, 48];
const frameBytes = width * height;
/** A recorded picture, small and grey without its lower part (where the caption goes), and when it was taken. */
interface Taken {
  at: number;
  picture: Buffer;
}
let dir: string;
let segments: ClosedSegment[];
let recorded: Taken[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weian-transcode-'));
  const more = { dir, hasBFrames: true, hasAudio: true, size: '320x240' };
  segments = [
    ...(await writeRun({ ...more, runId: 'a', startAt: T0, seconds: 8 })),
    ...(await writeRun({ ...more, runId: 'b', startAt: T0 + 20_000, seconds: 6 })),
  ];
  recorded = [];
  for (const { file, startAt } of segments) {
    const [pictures, times] = await Promise.all([smallPictures(file), timesOf(file)]);
    for (const [index, picture] of pictures.entries())
      recorded.push({ at: startAt + (times[index] ?? NaN) - (times[0] ?? NaN), picture });
  }
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Every decoded picture as 64 x 48 grey points of its upper two thirds. */
async function smallPictures(path: string, more = ''): Promise<Buffer[]> {
  const filter = `crop=iw:ih*2/3:0:0,scale=${width}:${height}:flags=area,format=gray`;
  const args = [...words('-v error -i'), path, '-vf', `${more}${filter}`];
  const { stdout } = await run('ffmpeg', [...args, ...words('-an -fps_mode passthrough -f rawvideo -')], {
    encoding: 'buffer',
    maxBuffer: 64_000_000,
  });
  return Array.from({ length: stdout.length / frameBytes }, (_, index) =>
    stdout.subarray(index * frameBytes, (index + 1) * frameBytes),
  );
}

/** When each picture is shown, in ms, as ffprobe reads it. */
async function timesOf(path: string): Promise<number[]> {
  const args = words(
    '-v error -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0',
  );
  const { stdout } = await run('ffprobe', [...args, path]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => parseFloat(line) * 1000)
    .filter((ms) => !Number.isNaN(ms)); // lines about side data
}

const difference = (a: Buffer, b: Buffer) =>
  a.reduce((sum, value, index) => sum + Math.abs(value - (b[index] ?? 0)), 0) / a.length;

function transcode(fromMs: number, toMs: number, more: Partial<TranscodeOptions> = {}) {
  return transcodeClip({
    segments: segments.map(asFootage),
    fromAt: wallMs(T0 + fromMs),
    toAt: wallMs(T0 + toMs),
    out: join(dir, `clip-${fromMs}-${toMs}.mp4`),
    caption: "急诊 {\\b1}'大厅' 01",
    formatTime: (at) => new Date(at).toISOString(),
    hidden: [],
    log,
    ...more,
  });
}

describe('a transcode', () => {
  it('holds exactly the pictures taken in the range, in order, each at its distance, also across a gap', async () => {
    for (const [fromMs, toMs] of [
      [3_333, 5_001],
      [80, 1_080],
      [7_210, 21_950],
      [0, 30_000],
    ] as const) {
      const wanted = recorded.filter(({ at }) => at >= T0 + fromMs && at < T0 + toMs);
      const { files, leadMs, tailMs } = await transcode(fromMs, toMs);
      expect({ leadMs, tailMs, parts: files.length }).toEqual({ leadMs: 0, tailMs: 0, parts: 1 });
      const path = files[0]?.file ?? '';
      const [pictures, times] = await Promise.all([smallPictures(path), timesOf(path)]);
      expect(pictures.length, `${fromMs}`).toBe(wanted.length);
      expect(files[0]?.frameCount).toBe(wanted.length);
      for (const [index, picture] of pictures.entries()) {
        const own = difference(picture, wanted[index]?.picture ?? Buffer.alloc(frameBytes));
        for (const step of [-1, 1]) {
          const other = wanted[index + step];
          if (other) expect(own, `${fromMs} ${index}`).toBeLessThan(difference(picture, other.picture));
        }
      }
      expect(Math.max(...times.map((ms, index) => Math.abs(ms - (times[0] ?? 0) - index * 40)))).toBeLessThan(
        1.5,
      );
    }
  });

  it('carries the time of its pictures, and hides regions beyond recovery', async () => {
    const told: number[] = [];
    const hidden = [{ x: 0.5, y: 0.05, width: 0.4, height: 0.4 }];
    const formatTime = (at: number) => {
      told.push(at);
      return new Date(at).toISOString();
    };
    const { files } = await transcode(7_500, 20_500, { hidden, formatTime, out: join(dir, 'hidden.mp4') });
    const wanted = recorded.filter(({ at }) => at >= T0 + 7_500 && at < T0 + 20_500);
    expect(told).toEqual(wanted.map(({ at }) => Math.round(at)));
    const [plain] = (await transcode(7_500, 20_500, { out: join(dir, 'plain.mp4') })).files;
    const region = 'crop=iw*0.3:ih*0.3:iw*0.55:ih*0.1,';
    const [before, after] = await Promise.all([
      smallPictures(plain?.file ?? '', region),
      smallPictures(files[0]?.file ?? '', region),
    ]);
    expect(edges(after[0])).toBeLessThan(edges(before[0]) / 2);
    // The caption's box darkens the lower left, and its first line changes from picture to picture.
    const line = 'crop=iw*0.5:ih*0.12:0:ih*0.87,';
    const lines = await smallPictures(plain?.file ?? '', line);
    const source = await smallPictures(segments.at(1)?.file ?? '', line);
    expect(mean(lines[0])).toBeLessThan(mean(source.at(-1)));
    expect(difference(lines[0] as Buffer, lines[1] as Buffer)).toBeGreaterThan(0.1);
  });

  it('without a picture in the range makes no file', async () => {
    const before = await readdir(dir);
    await expect(transcode(10_000, 18_000)).rejects.toMatchObject({ code: 'no-media' });
    await expect(transcode(100, 5_000, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(await readdir(dir)).toEqual(before);
  });
});

it('a still is the picture that was in view', async () => {
  for (const atMs of [1_000, 3_339, 22_222]) {
    const wanted = recorded.findLast(({ at }) => Math.round(at) <= T0 + atMs);
    const out = join(dir, `still-${atMs}.png`);
    const found = await takeStill({ segments: segments.map(asFootage), at: wallMs(T0 + atMs), out, log });
    expect(found.covered).toEqual([{ fromAt: Math.round(wanted?.at ?? 0), toAt: T0 + atMs }]);
    expect(found.files[0]?.frameCount).toBe(1);
    const [picture] = await smallPictures(out);
    const own = difference(picture as Buffer, wanted?.picture as Buffer);
    const at = recorded.indexOf(wanted as Taken);
    for (const step of [-1, 1])
      expect(own).toBeLessThan(difference(picture as Buffer, recorded[at + step]?.picture as Buffer));
  }
  const gap = { segments: segments.map(asFootage), at: wallMs(T0 + 15_000), out: join(dir, 'gap.png'), log };
  await expect(takeStill(gap)).rejects.toMatchObject({ code: 'no-media' });
});

/** How much neighbouring points differ: the detail that is left. */
function edges(picture: Buffer | undefined): number {
  if (!picture) throw new Error('no picture');
  let sum = 0;
  for (let at = 1; at < picture.length; at += 1)
    if (at % width !== 0) sum += Math.abs((picture[at] ?? 0) - (picture[at - 1] ?? 0));
  return sum;
}
function mean(picture: Buffer | undefined): number {
  if (!picture) throw new Error('no picture');
  return picture.reduce((sum, value) => sum + value, 0) / picture.length;
}
