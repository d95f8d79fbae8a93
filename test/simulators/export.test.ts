import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportClip } from '#media/export/export-clip.ts';
import { buildMovie, type TrackTable } from '#media/export/movie.ts';
import { readBoxHeader, type Box } from '#media/hls/boxes.ts';
import { readFootage } from '#media/hls/footage.ts';
import { listFragments } from '#media/hls/fmp4.ts';
import { readTrackFragments, visitSamples, type TrackFragment } from '#media/hls/track-fragments.ts';
import { silentLog as log } from '#media/log.ts';
import { probeMedia } from '#media/process/ffprobe.ts';
import { runTool } from '#media/process/run-tool.ts';
import { words } from '#media/process/words.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import { wallMs } from '#media/time.ts';
import { asFootage, cameraStartAt, frameHashes, recordCamera, writeRun } from '../fixtures/synthetic-run.ts';

const T0 = cameraStartAt;
const FRAME_MS = 40;
const GROUP_MS = 1_000;
let dir: string;
let first: ClosedSegment[];
let second: ClosedSegment[];
let wide: ClosedSegment[];
let h265: ClosedSegment[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weian-footage-'));
  ({ first, second, wide, h265 } = await recordCamera(dir));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const range = (fromMs: number, toMs: number) => ({ fromAt: wallMs(T0 + fromMs), toAt: wallMs(T0 + toMs) });
/** Presentation times of the packets in ms, as ffprobe reads them; in order of showing. */
async function packetTimes(path: string): Promise<{ video: number[]; audio: number[] }> {
  const { stdout } = await runTool(
    'ffprobe',
    [...words('-v error -show_entries packet=codec_type,pts_time,flags -of csv=p=0'), path],
    { deadlineMs: 20_000 },
  );
  const rows = stdout
    .split('\n')
    .map((line) => line.split(','))
    .filter((fields) => !fields[2]?.includes('D')); // `D`: cut away by the edit list
  const of = (type: string) =>
    rows
      .filter(([kind]) => kind === type)
      .map(([, time]) => Math.round(Number(time) * 1e5) / 100)
      .sort((a, b) => a - b);
  return { video: of('video'), audio: of('audio') };
}
const framesOf = async (segments: ClosedSegment[]) => {
  const lists = [];
  for (const segment of segments) lists.push(await frameHashes(segment.file));
  return lists.flat();
};

describe('export', () => {
  it("gives exactly the source's frames for the range, within one group at the ends, with an honest record", async () => {
    const out = join(dir, 'clip.mp4');
    await writeFile(`${out}.part`, 'left by a killed export');
    const progress: number[] = [];
    const result = await exportClip({
      segments: [...first, ...second].map(asFootage),
      ...range(2_300, 23_700),
      out,
      log,
      onProgress: ({ done }) => progress.push(done),
    });
    const [file] = result.files;
    expect(result.files).toHaveLength(1);
    const frames = await frameHashes(out);
    const source = await framesOf([...first, ...second]);
    const start = source.indexOf(frames[0] ?? '');
    // The hole is 8 s wide, so the frames of both runs stand side by side in the clip as in the source.
    expect(source.slice(start, start + frames.length)).toEqual(frames);
    expect(2_300 - start * FRAME_MS).toBeGreaterThanOrEqual(0);
    expect(2_300 - start * FRAME_MS).toBeLessThan(GROUP_MS);
    const endMs = 8_000 + (start + frames.length) * FRAME_MS;
    expect(endMs - 23_700).toBeGreaterThanOrEqual(0);
    expect(endMs - 23_700).toBeLessThan(GROUP_MS);
    expect(file).toMatchObject({ frameCount: frames.length, videoCodec: 'h264', hasAudio: true });
    expect(Math.abs(result.leadMs - (2_300 - start * FRAME_MS))).toBeLessThanOrEqual(FRAME_MS * 2);
    expect(result.gaps).toHaveLength(1);
    expect(Math.abs((result.gaps[0]?.fromAt ?? 0) - (T0 + 12_000))).toBeLessThanOrEqual(100);
    expect(Math.abs((result.gaps[0]?.toAt ?? 0) - (T0 + 20_000))).toBeLessThanOrEqual(100);
    expect(result.covered).toHaveLength(2);
    const bytes = await readFile(out);
    expect(file?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(file?.sizeBytes).toBe(bytes.length);
    expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
    expect(progress.at(-1)).toBe(1);
    expect(progress.every((done, index) => index === 0 || done >= (progress[index - 1] ?? 0))).toBe(true);
    const facts = await probeMedia(out);
    expect(facts.streams.map((each) => each.codec)).toEqual(['h264', 'aac']);
    expect(Math.abs((facts.durationMs ?? 0) - frames.length * FRAME_MS)).toBeLessThan(200);
    expect((await readdir(dir)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('keeps the times of pictures and sound as the source has them', async () => {
    const out = join(dir, 'times.mp4');
    await exportClip({ segments: first.map(asFootage), ...range(1_500, 11_500), out, log });
    const whole = join(dir, 'whole.mp4');
    await writeFile(whole, Buffer.concat(await Promise.all(first.map(({ file }) => readFile(file)))));
    const source = await packetTimes(whole);
    const clip = await packetTimes(out);
    const from = GROUP_MS / FRAME_MS;
    expect(clip.video[0]).toBe(0);
    expect(clip.video).toEqual(
      source.video.slice(from, from + clip.video.length).map((ms) => ms - (source.video[from] ?? 0)),
    );
    expect(clip.video).toHaveLength(275);
    const shift = (source.video[from] ?? 0) - (clip.video[0] ?? 0);
    const sound = source.audio.map((ms) => ms - shift);
    for (const ms of clip.audio)
      expect(Math.min(...sound.map((each) => Math.abs(each - ms)))).toBeLessThan(1);
    expect(Math.abs((clip.audio[0] ?? NaN) - (clip.video[0] ?? NaN))).toBeLessThan(GROUP_MS);
    await rm(whole);
  });

  it('finds pictures that lie behind the first 4 GB of a file', async () => {
    const [segment] = h265 as [ClosedSegment];
    const source = await open(segment.file, 'r');
    const list = await listFragments(source);
    await source.close();
    const [fragment] = list?.fragments ?? [];
    if (!list || !fragment) throw new Error('no fragment');
    const bytes = (await readFile(segment.file)).subarray(
      fragment.offset,
      fragment.offset + fragment.sizeBytes,
    );
    const moof = readBoxHeader(bytes, 0) as Box;
    const [track] = readTrackFragments(bytes, moof);
    const table: TrackTable = {
      id: list.init.video.id,
      timescale: list.init.video.timescale,
      decodeTicks: [],
      shownTicks: [],
      sizes: [],
      syncSamples: [1],
      chunks: [{ at: 4_500_000_000, samples: fragment.videoSamples }],
      lastTicks: 3_600,
    };
    visitSamples(bytes, track as TrackFragment, (sample) => {
      table.decodeTicks.push(sample.decodeTicks);
      table.shownTicks.push(sample.decodeTicks + sample.shiftTicks);
      table.sizes.push(sample.sizeBytes);
    });
    const media = bytes.subarray(fragment.moofBytes + 8);
    const head = buildMovie({
      initBytes: list.init.bytes,
      tracks: [table],
      mediaBytes: 4_500_000_000 + media.length,
      createdAt: new Date(T0),
    });
    const path = join(dir, 'large.mp4');
    const target = await open(path, 'w');
    await target.write(head, 0, head.length, 0);
    await target.write(media, 0, media.length, head.length + 4_500_000_000);
    await target.close();
    expect(await frameHashes(path)).toEqual(
      (await frameHashes(segment.file)).slice(0, fragment.videoSamples),
    );
    await rm(path);
  });

  it('gives the same bytes when it is run again', async () => {
    const options = { segments: first.map(asFootage), ...range(1_000, 9_000), log };
    const one = await exportClip({ ...options, out: join(dir, 'one.mp4') });
    const two = await exportClip({ ...options, out: join(dir, 'two.mp4') });
    expect(one.files[0]?.sha256).toBe(two.files[0]?.sha256);
  });

  it('writes several files where the picture size changes, each playable', async () => {
    const out = join(dir, 'sizes.mp4');
    const result = await exportClip({
      segments: [...second, ...wide].map(asFootage),
      ...range(24_000, 31_000),
      out,
      log,
    });
    expect(result.files.map((each) => each.file)).toEqual([
      join(dir, 'sizes-1.mp4'),
      join(dir, 'sizes-2.mp4'),
    ]);
    expect((await probeMedia(join(dir, 'sizes-1.mp4'))).streams[0]).toMatchObject({ width: 320 });
    expect((await probeMedia(join(dir, 'sizes-2.mp4'))).streams[0]).toMatchObject({ width: 640 });
    expect(result.gaps).toEqual([]);
  });

  it('exports H.265 with a tag that players know', async () => {
    const out = join(dir, 'h265.mp4');
    await exportClip({ segments: h265.map(asFootage), ...range(61_000, 66_000), out, log });
    expect((await readFile(out)).includes('hvc1')).toBe(true);
    expect(await frameHashes(out)).toHaveLength(125);
  });

  it('refuses an empty range, footage that is gone, and can be cancelled; nothing is left behind', async () => {
    const out = join(dir, 'none.mp4');
    const segments = first.map(asFootage);
    await expect(exportClip({ segments, ...range(13_000, 15_000), out, log })).rejects.toMatchObject({
      code: 'no-media',
    });
    const gone = [{ ...(segments[0] as (typeof segments)[0]), file: join(dir, 'gone.mp4') }];
    await expect(exportClip({ segments: gone, ...range(0, 3_000), out, log })).rejects.toMatchObject({
      code: 'rejected',
    });
    const signal = AbortSignal.abort();
    await expect(exportClip({ segments, ...range(0, 9_000), out, log, signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect((await readdir(dir)).filter((name) => name.startsWith('none'))).toEqual([]);
  });

  it('notices a source whose media is damaged', async () => {
    const [damaged] = await writeRun({ dir, runId: 'e', startAt: T0 + 200_000, seconds: 4 });
    const footage = await readFootage(asFootage(damaged as ClosedSegment));
    const file = await open(footage.segment.file, 'r+');
    const { offset, moofBytes } = footage.fragments[0] as (typeof footage.fragments)[0];
    await file.write(Buffer.alloc(2_000, 0x5a), 0, 2_000, offset + moofBytes + 8);
    await file.close();
    const out = join(dir, 'damaged-clip.mp4');
    await expect(
      exportClip({ segments: [footage.segment], ...range(200_000, 204_000), out, log }),
    ).rejects.toMatchObject({
      code: 'bad-output',
    });
  });
});
