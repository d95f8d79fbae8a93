// CPU of recording 12 streams with the product (this Node process and its ffmpegs) against 12 bare `ffmpeg -c copy` of the same streams at
// the same time. Usage: node test/bench/recording.ts [seconds]
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '#media/clock.ts';
import { silentLog as log } from '#media/log.ts';
import { words } from '#media/process/words.ts';
import { createRecorder } from '#media/recorder/recorder.ts';
import { startRtspServer } from '../fixtures/rtsp-server.ts';
import { loopClip, report, writeClip } from './clip.ts';

const STREAMS = 12;
const WARM_UP_MS = 10_000;
const TICKS_A_SECOND = 100; // sysconf(_SC_CLK_TCK) on Linux
const measureMs = Number(process.argv[2] ?? 40) * 1000;

/** User and system time of a process so far, in seconds, without its children. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''); // it may have ended meanwhile
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) children.push(Number(name));
  }
  return children;
}

const total = async (pids: readonly number[]) =>
  (await Promise.all(pids.map(cpuSeconds))).reduce((sum, each) => sum + each, 0);

const dir = await mkdtemp(join(tmpdir(), 'weian-bench-'));
const source = join(dir, 'source.mp4');
await loopClip(
  await writeClip(dir, { seconds: 10, bitrate: '2M' }),
  source,
  Math.ceil((measureMs + 60_000) / 10_000),
);
const server = await startRtspServer(source);
const bare: ChildProcess[] = [];
for (let index = 0; index < STREAMS; index += 1) {
  const input = words(`-nostdin -v error -rtsp_transport tcp -i ${server.source('file').url}`);
  const output = words('-c copy -f segment -segment_format mp4 -segment_time 60');
  bare.push(spawn('ffmpeg', [...input, ...output, join(dir, `bare-${index}-%d.mp4`)], { stdio: 'ignore' }));
}
const recorders = Array.from({ length: STREAMS }, (_each, index) =>
  createRecorder({ source: server.source('file'), dir: join(dir, `rec-${index}`), clock, log }),
);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
while (recorders.some((each) => each.state().name !== 'recording')) await wait(200);
await wait(WARM_UP_MS);

const barePids = bare.map((each) => each.pid ?? 0);
const ownPids = (await childrenOf(process.pid)).filter((pid) => !barePids.includes(pid));
const ffmpegs: number[] = [];
for (const pid of ownPids) {
  if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'ffmpeg') ffmpegs.push(pid);
}
if (ffmpegs.length !== STREAMS) throw new Error(`${ffmpegs.length} recorder processes instead of ${STREAMS}`);
const before = await Promise.all([total(barePids), total(ffmpegs), cpuSeconds(process.pid)]);
await wait(measureMs);
const after = await Promise.all([total(barePids), total(ffmpegs), cpuSeconds(process.pid)]);
const [bareSeconds, ffmpegSeconds, nodeSeconds] = after.map((each, index) => each - (before[index] ?? 0)) as [
  number,
  number,
  number,
];
const restarts = recorders.reduce((sum, each) => sum + each.metrics().restarts, 0);
await Promise.all(recorders.map((each) => each.stop()));
for (const each of bare) each.kill('SIGKILL');
await server.stop();
await rm(dir, { recursive: true, force: true });

const ratio = (ffmpegSeconds + nodeSeconds) / bareSeconds;
report(
  {
    bench: 'recording',
    streams: STREAMS,
    measureMs,
    bareSeconds,
    ffmpegSeconds,
    nodeSeconds,
    restarts,
    ratio,
    target: 1.15,
  },
  `recording ${STREAMS} streams: ${(ffmpegSeconds + nodeSeconds).toFixed(2)} s CPU (Node ${nodeSeconds.toFixed(2)} s) against ` +
    `${bareSeconds.toFixed(2)} s bare in ${measureMs / 1000} s: ratio ${ratio.toFixed(2)}`,
);
process.exit(0);
