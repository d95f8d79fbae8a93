import { mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MediaError } from '#media/errors.ts';
import { readFootage } from '#media/hls/footage.ts';
import { listFragments } from '#media/hls/fmp4.ts';
import { createChunkTranscoder } from '#media/hls/transcode.ts';
import { planVod, vodPlaylist, type VodEntry } from '#media/hls/vod-playlist.ts';
import { silentLog as log } from '#media/log.ts';
import { probeMedia } from '#media/process/ffprobe.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import { recoverSegments } from '#media/recorder/recover.ts';
import { parseSegmentName } from '#media/recorder/segment-names.ts';
import { wallMs } from '#media/time.ts';
import {
  asFootage,
  cameraStartAt,
  cutTail,
  frameHashes,
  recordCamera,
  writeParts,
  writeRun,
} from '../fixtures/synthetic-run.ts';

const T0 = cameraStartAt;
const FRAME_MS = 40;
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
const playlistOf = (entries: VodEntry[]) =>
  vodPlaylist(entries, {
    kind: 'ranges',
    media: (each) => each.segment.file,
    init: (each) => each.segment.file,
  });
const framesOf = async (segments: ClosedSegment[]) => {
  const lists = [];
  for (const segment of segments) lists.push(await frameHashes(segment.file));
  return lists.flat();
};

describe('segments', () => {
  it('hold what their names and facts say, on one time line', async () => {
    expect(first.map((each) => each.durationMs)).toEqual([4000, 4000, 4000]);
    expect(first.map((each) => Math.round(each.mediaStartMs))).toEqual(
      [0, 4000, 8000].map((ms) => ms + Math.round(first[0]?.mediaStartMs ?? 0)),
    );
    expect(first[0]).toMatchObject({ videoCodec: 'h264', width: 320, height: 240, hasAudio: true });
    expect(first[0]?.codecs).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
    expect(h265[0]?.codecs).toMatch(/^hvc1\.1\.6\.L\d+/);
    expect(new Set([...first, ...second].map((each) => each.setupHash)).size).toBe(1);
    expect(wide[0]?.setupHash).not.toBe(first[0]?.setupHash);
    for (const { file, startAt, durationMs, runId } of [...first, ...h265]) {
      expect(parseSegmentName(file)).toEqual({ startAt, durationMs, runId });
    }
  });

  it('are read to the last whole fragment, wherever the file is cut', async () => {
    const whole = await readFile(first[0]?.file ?? '');
    const path = join(dir, 'cut.mp4');
    const full = await readFootage(asFootage(first[0] as ClosedSegment));
    const ends = full.fragments.map((each) => each.offset + each.sizeBytes);
    const cuts = [0, 7, 20, full.init.sizeBytes - 1, full.init.sizeBytes];
    for (const end of ends) cuts.push(end - 1, end, end + 5, end + 100);
    for (const cut of cuts.filter((each) => each <= whole.length)) {
      await writeFile(path, whole.subarray(0, cut));
      const file = await open(path, 'r');
      const list = await listFragments(file);
      await file.close();
      expect(list?.fragments.length ?? -1, `cut at ${cut}`).toBe(
        cut < full.init.sizeBytes ? -1 : ends.filter((end) => end <= cut).length,
      );
    }
  });

  it('never make the reader hang, hoard or crash on damaged bytes', async () => {
    const whole = await readFile(first[0]?.file ?? '');
    const path = join(dir, 'damaged.mp4');
    let seed = 1;
    const random = (limit: number) => (seed = (seed * 48_271) % 2_147_483_647) % limit;
    for (let round = 0; round < 300; round += 1) {
      const bytes = Buffer.from(whole);
      for (let index = 0; index < 8; index += 1)
        bytes[random(index < 6 ? 3_000 : bytes.length)] = random(256);
      await writeFile(path, bytes);
      const file = await open(path, 'r');
      const outcome = await listFragments(file).catch((error: unknown) => error);
      await file.close();
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MediaError);
    }
  });
});

describe('archive playlist', () => {
  it('plays across two runs with a discontinuity and shows wall time', async () => {
    const entries = await planVod([...first, ...second].map(asFootage), range(6_500, 23_500));
    const text = playlistOf(entries);
    expect(text.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(1);
    expect(text.match(/#EXT-X-MAP/g)).toHaveLength(2);
    expect(text).toContain('#EXT-X-PROGRAM-DATE-TIME:2026-03-01T08:00:20.');
    const path = join(dir, 'vod.m3u8');
    await writeFile(path, text);
    const played = await frameHashes(path);
    const source = await framesOf([...first, ...second]);
    expect(played.length * FRAME_MS).toBeGreaterThanOrEqual(5_500 + 3_500);
    const start = source.indexOf(played[0] ?? '');
    expect(source.slice(start, start + 100)).toEqual(played.slice(0, 100));
  });

  it('takes in an open file up to its last whole fragment, and is empty where nothing was recorded', async () => {
    const [part = ''] = await writeParts({ dir, runId: 'open', startAt: T0, seconds: 4 });
    await cutTail(part, 10);
    const segment = { file: part, runId: 'open', startAt: wallMs(T0 + 100_000), durationMs: 0, isOpen: true };
    const entries = await planVod([segment], range(100_000, 110_000));
    expect(entries.reduce((sum, each) => sum + each.durationMs, 0)).toBe(3_000);
    expect(await planVod([...first, ...second].map(asFootage), range(13_000, 19_000))).toEqual([]);
    await rm(part);
  });

  it('turns H.265 into H.264 of the same time, shares equal requests, and cancels what nobody wants', async () => {
    const transcoder = createChunkTranscoder({ maxRunning: 1, cacheBytes: 10_000_000, log });
    const entries = await planVod(h265.map(asFootage), range(60_000, 68_000));
    const requests = entries.map(({ segment, initBytes, offset, sizeBytes }) => ({
      file: segment.file,
      initBytes,
      offset,
      sizeBytes,
    }));
    const [one, two] = requests as [(typeof requests)[0], (typeof requests)[0]];
    const abort = new AbortController();
    const [chunk, again, gone] = await Promise.allSettled([
      transcoder.transcode(one),
      transcoder.transcode(one),
      transcoder.transcode(two, abort.signal),
      Promise.resolve().then(() => abort.abort()),
    ]);
    expect(chunk.status === 'fulfilled' && again.status === 'fulfilled' && chunk.value === again.value).toBe(
      true,
    );
    expect(gone).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    const last = await transcoder.transcode(two);
    const path = join(dir, 'transcoded.mp4');
    // The init segment of the first chunk must serve the second, and the second must follow on in time.
    const head = chunk.status === 'fulfilled' ? chunk.value : last;
    await writeFile(path, Buffer.concat([head.init, head.media, last.media]));
    const facts = await probeMedia(path);
    expect(facts.streams[0]).toMatchObject({ codec: 'h264', width: 320 });
    expect(await frameHashes(path)).toHaveLength(200);
    expect(facts.durationMs).toBeGreaterThan(7_900);
    expect(facts.durationMs).toBeLessThan(8_100);
    expect(transcoder.load()).toEqual({ running: 0, waiting: 0 });
  });
});

describe('recovery', () => {
  it('keeps the whole fragments of dead runs, places them in time, and deletes what holds nothing', async () => {
    const root = await mkdtemp(join(tmpdir(), 'weian-recover-'));
    try {
      const parts = await writeParts({ dir: root, runId: 'run1', startAt: T0, seconds: 12 });
      await cutTail(parts.at(-1) ?? '', 500);
      await writeFile(join(root, 'run2-000000.mp4.part'), Buffer.alloc(100, 1));
      await writeFile(join(root, 'run3-000000.mp4.part'), '');
      await writeFile(join(root, 'readme.txt'), 'not ours');
      const offsetOf = (runId: string) => Promise.resolve(runId === 'run1' ? T0 : undefined);
      const recovery = await recoverSegments({ dir: root, offsetOf, log });
      expect(recovery.recovered.map((each) => each.durationMs)).toEqual([4000, 4000, 3000]);
      expect(recovery.recovered.map((each) => Math.round((each.startAt - T0) / 1000))).toEqual([0, 4, 8]);
      expect(recovery.deleted).toHaveLength(2);
      expect(recovery.failed).toEqual([]);
      expect((await readdir(root)).sort()).toEqual(['2026-03-01', 'readme.txt']);
      expect(await frameHashes(recovery.recovered[2]?.file ?? '')).toHaveLength(75);
      expect(await recoverSegments({ dir: root, offsetOf, log })).toEqual({
        recovered: [],
        deleted: [],
        failed: [],
      });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it('places a part by its finished sibling where no anchor was stored', async () => {
    const root = await mkdtemp(join(tmpdir(), 'weian-recover-'));
    try {
      await writeRun({ dir: root, runId: 'run1', startAt: T0, seconds: 4 });
      const parts = await writeParts({ dir: root, runId: 'run1', startAt: T0, seconds: 8 });
      await rm(parts[0] ?? '');
      const recovery = await recoverSegments({ dir: root, log });
      expect(recovery.recovered[0]).toMatchObject({ startFrom: 'sibling' });
      expect(Math.abs((recovery.recovered[0]?.startAt ?? 0) - (T0 + 4_000))).toBeLessThan(100);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
