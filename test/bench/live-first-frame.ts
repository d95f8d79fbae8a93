// Time until the first picture of a live view can be played, against a bare ffmpeg that opens the camera and decodes one picture.
// Usage: node test/bench/live-first-frame.ts [rounds]
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock as clock } from '#media/clock.ts';
import { createLiveHub } from '#media/hls/live.ts';
import { parseLiveName } from '#media/hls/live-playlist.ts';
import { silentLog as log } from '#media/log.ts';
import { words } from '#media/process/words.ts';
import { createRecorder } from '#media/recorder/recorder.ts';
import { startRtspServer } from '../fixtures/rtsp-server.ts';
import { loopClip, quantile, report, writeClip } from './clip.ts';

const rounds = Number(process.argv[2] ?? 12);
const run = promisify(execFile);
const dir = await mkdtemp(join(tmpdir(), 'weian-bench-'));
const source = join(dir, 'source.mp4');
await loopClip(await writeClip(dir, { seconds: 10, bitrate: '2M' }), source, 60);
const server = await startRtspServer(source);
const recorder = createRecorder({ source: server.source('file'), dir: join(dir, 'rec'), clock, log });
const times = { bare: [] as number[], recorded: [] as number[], ownPull: [] as number[] };

async function live(streamId: 'recorded' | 'ownPull', round: number): Promise<void> {
  const hub = createLiveHub({
    getTarget: (id) => (id === 'recorded' ? { recorder } : { source: server.source('file') }),
    dir: join(dir, `live-${streamId}-${round}`),
    idleMs: 60_000,
    maxTranscodes: 1,
    clock,
    log,
  });
  const startedAt = performance.now();
  const stream = await hub.open(streamId);
  const names = (await stream.playlist()).split('\n').filter((line) => line.endsWith('.m4s'));
  const wanted = parseLiveName(names.at(-1) ?? '');
  if (!wanted || !('number' in wanted)) throw new Error('no fragment');
  const media = await stream.fragment(wanted.number);
  times[streamId].push(performance.now() - startedAt);
  if (media.length < 1_000) throw new Error('the fragment is empty');
  await hub.close();
}

while (!recorder.anchor()) await new Promise((resolve) => setTimeout(resolve, 200));
await new Promise((resolve) => setTimeout(resolve, 5_000));
for (let round = 0; round < rounds; round += 1) {
  const startedAt = performance.now();
  await run(
    'ffmpeg',
    words(`-nostdin -v error -rtsp_transport tcp -i ${server.source('file').url} -frames:v 1 -f null -`),
  );
  times.bare.push(performance.now() - startedAt);
  await live('recorded', round);
  await live('ownPull', round);
  // A camera's group of pictures is met at any point: move on by a part of it.
  await new Promise((resolve) => setTimeout(resolve, 170));
}
await recorder.stop();
await server.stop();
await rm(dir, { recursive: true, force: true });

const p95 = {
  bare: quantile(times.bare, 0.95),
  recorded: quantile(times.recorded, 0.95),
  ownPull: quantile(times.ownPull, 0.95),
};
const p50 = {
  bare: quantile(times.bare, 0.5),
  recorded: quantile(times.recorded, 0.5),
  ownPull: quantile(times.ownPull, 0.5),
};
report(
  { bench: 'live-first-frame', rounds, groupMs: 2_000, p50, p95 },
  `first live picture, p95 of ${rounds}: recorded stream ${Math.round(p95.recorded)} ms, own pull ${Math.round(p95.ownPull)} ms, ` +
    `bare ffmpeg ${Math.round(p95.bare)} ms (key frame every 2 s)`,
);
process.exit(0);
