import { createServer, type Server } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock as clock } from '#media/clock.ts';
import { createLiveHub, type LiveHub } from '#media/hls/live.ts';
import { parseLiveName } from '#media/hls/live-playlist.ts';
import { silentLog as log } from '#media/log.ts';
import { checkStream, type StreamCheck } from '#media/probe/check-stream.ts';
import { runTool } from '#media/process/run-tool.ts';
import { createRecorder, type Recorder } from '#media/recorder/recorder.ts';
import { startRtspServer, type RtspServer } from '../fixtures/rtsp-server.ts';

const IDLE_MS = 3_000;
let camera: RtspServer;
let root: string;
let recorder: Recorder;
let hub: LiveHub;
let http: Server;
let base: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weian-live-'));
  camera = await startRtspServer();
  recorder = createRecorder({
    source: camera.source('bframes'),
    dir: join(root, 'rec'),
    segmentMs: 3_000,
    clock,
    log,
  });
  hub = createLiveHub({
    getTarget: (id) => (id === 'bframes' ? { recorder } : { source: camera.source(id) }),
    dir: join(root, 'live'),
    idleMs: IDLE_MS,
    maxTranscodes: 1,
    clock,
    log,
  });
  http = createServer((request, response) => {
    const [, id = '', variant = '', name = ''] = (request.url ?? '').split('/');
    serve(id, variant === 'h264' ? 'h264' : 'original', name).then(
      (body) => response.end(body),
      (error: { code?: string }) => {
        response.statusCode = 503;
        response.end(error.code);
      },
    );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  await hub.close();
  await recorder.stop();
  await camera.stop();
  await rm(root, { recursive: true, force: true });
});

async function serve(
  id: string,
  variant: 'original' | 'h264',
  name: string,
): Promise<Buffer | string | undefined> {
  const stream = await hub.open(id, variant);
  if (name === 'live.m3u8') return stream.playlist();
  const wanted = parseLiveName(name);
  if (!wanted) throw new Error('no such name');
  return 'number' in wanted ? stream.fragment(wanted.number) : stream.init(wanted.initNumber);
}

const playlist = async (id: string, variant = 'original') => {
  const response = await fetch(`${base}/${id}/${variant}/live.m3u8`);
  return { status: response.status, text: await response.text() };
};
const sequenceOf = (text: string) => Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Plays five seconds with ffmpeg's own HLS reader; the packets' times in ms and the codec. */
async function play(id: string, variant = 'original') {
  const url = `${base}/${id}/${variant}/live.m3u8`;
  const entries = 'packet=dts_time:stream=codec_name';
  const args = [
    '-v',
    'error',
    '-read_intervals',
    '%+5',
    '-select_streams',
    'v',
    '-show_entries',
    entries,
    '-of',
    'json',
    url,
  ];
  const { stdout, stderr } = await runTool('ffprobe', args, { deadlineMs: 30_000 });
  const { packets, streams } = JSON.parse(stdout) as {
    packets: { dts_time: string }[];
    streams: { codec_name: string }[];
  };
  return {
    times: packets.map((each) => Number(each.dts_time) * 1000),
    codec: streams[0]?.codec_name,
    stderr,
  };
}

describe('live', () => {
  it('follows the file that is being recorded, over the change of files, without a hole', async () => {
    const first = await playlist('bframes');
    expect(first.text).toContain('#EXT-X-PROGRAM-DATE-TIME:');
    await wait(2_000);
    await playlist('bframes');
    const played = await play('bframes');
    expect(played).toMatchObject({ codec: 'h264', stderr: '' });
    const steps = played.times.slice(1).map((each, index) => each - (played.times[index] ?? 0));
    expect(Math.max(...steps)).toBeLessThan(150);
    const later = await playlist('bframes');
    expect(sequenceOf(later.text)).toBeGreaterThanOrEqual(0);
    expect(later.text).not.toBe(first.text);
    expect(later.text).not.toContain('#EXT-X-DISCONTINUITY\n');
  });

  it('moves on: new fragments come at the end, old ones leave at the front, and none is skipped', async () => {
    const seen = new Set<number>();
    let newest = -1;
    for (let round = 0; round < 16; round += 1) {
      const { text } = await playlist('bframes');
      const numbers = [...text.matchAll(/^(\d+)\.m4s$/gm)].map((match) => Number(match[1]));
      expect(numbers).toEqual(numbers.map((_each, index) => (numbers[0] ?? 0) + index));
      expect(numbers.at(-1)).toBeGreaterThanOrEqual(newest);
      newest = numbers.at(-1) ?? -1;
      for (const number of numbers) seen.add(number);
      await wait(1_000);
    }
    expect(seen.size).toBeGreaterThan(12);
    expect(Math.max(...seen) - Math.min(...seen) + 1).toBe(seen.size);
  });

  it('gives a late viewer of a recording its newest pictures at once', async () => {
    await wait(IDLE_MS + 2_500);
    expect(hub.active()).toEqual([]);
    const startedAt = performance.now();
    const { text } = await playlist('bframes');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect([...text.matchAll(/\.m4s$/gm)].length).toBeGreaterThanOrEqual(2);
  });

  it('pulls a stream that is not recorded once for all viewers, and stops when nobody looks', async () => {
    const [one, two] = await Promise.all([playlist('h264'), playlist('h264')]);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(hub.active().filter((each) => each.streamId === 'h264')).toMatchObject([{ isOwnPull: true }]);
    expect((await play('h264')).codec).toBe('h264');
    await wait(IDLE_MS + 2_500);
    expect(hub.active()).toEqual([]);
    expect(await readdir(join(root, 'live'))).toEqual([]);
  });

  it('turns H.265 into H.264 once for all who ask, and no more streams than allowed', async () => {
    const played = await play('h265', 'h264');
    expect(played.codec).toBe('h264');
    expect(played.times.length).toBeGreaterThan(60);
    const refused = await playlist('h264', 'h264');
    expect(refused).toEqual({ status: 503, text: 'rejected' });
  });

  it('says why there is no picture', async () => {
    expect(await playlist('nowhere')).toEqual({ status: 503, text: 'rejected' });
    expect(await playlist('secret')).toEqual({ status: 503, text: 'unauthorized' });
  });
});

const layersOf = (check: StreamCheck) =>
  check.layers.map((each) => `${each.layer} ${each.ok ? 'ok' : each.error?.code}`);

describe('stream check', () => {
  const options = { deadlineMs: 10_000, clock, log };

  it('goes from the cable to a decoded picture', async () => {
    const check = await checkStream({ source: camera.source('h265') }, options);
    expect(layersOf(check)).toEqual(['tcp ok', 'rtsp ok', 'keyframe ok', 'decode ok']);
    expect(check.picture?.jpeg.readUInt16BE(0)).toBe(0xffd8);
    expect(check.media?.[0]?.encoding).toBe('H265');
  });

  it("takes the picture from the recorder's file where the stream is recorded", async () => {
    const check = await checkStream({ source: camera.source('bframes'), recorder }, options);
    expect(layersOf(check)).toEqual(['tcp ok', 'rtsp ok', 'keyframe ok', 'decode ok']);
    expect(Date.now() - (check.picture?.takenAt ?? 0)).toBeLessThan(6_000);
  });

  it('stops at the layer that fails, with the reason', async () => {
    const closed = await checkStream({ source: { url: 'rtsp://127.0.0.1:1/x', transport: 'tcp' } }, options);
    expect(layersOf(closed)).toEqual(['tcp unreachable']);
    expect(layersOf(await checkStream({ source: camera.source('secret') }, options))).toEqual([
      'tcp ok',
      'rtsp unauthorized',
    ]);
    expect(layersOf(await checkStream({ source: camera.source('nowhere') }, options))).toEqual([
      'tcp ok',
      'rtsp rejected',
    ]);
  });
});
