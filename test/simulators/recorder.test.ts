import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock as clock } from '#media/clock.ts';
import { silentLog as log } from '#media/log.ts';
import { probeMedia } from '#media/process/ffprobe.ts';
import { runTool } from '#media/process/run-tool.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import type { AnchorFact } from '#media/recorder/pull.ts';
import {
  createRecorder,
  type Recorder,
  type RecorderOptions,
  type RecorderState,
} from '#media/recorder/recorder.ts';
import { recoverSegments } from '#media/recorder/recover.ts';
import { frameHashes } from '../fixtures/synthetic-run.ts';
import { startRtspServer, type RtspServer } from '../fixtures/rtsp-server.ts';

let server: RtspServer;
let root: string;
let running: Recorder[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'weian-recorder-'));
  server = await startRtspServer();
});
afterEach(async () => {
  await Promise.all(running.map((each) => each.stop()));
  running = [];
});
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

interface Recording {
  recorder: Recorder;
  segments: ClosedSegment[];
  states: RecorderState[];
  anchors: AnchorFact[];
}

function record(mount: string, options: Partial<RecorderOptions> = {}): Recording {
  const recording = { segments: [], states: [], anchors: [] } as unknown as Recording;
  recording.recorder = createRecorder({
    source: server.source(mount),
    dir: join(root, `${mount}-${Math.random().toString(36).slice(2)}`),
    segmentMs: 3_000,
    clock,
    log,
    onSegmentClosed: (segment) => recording.segments.push(segment),
    onState: (state) => recording.states.push(state),
    onAnchor: (anchor) => recording.anchors.push(anchor),
    ...options,
  });
  running.push(recording.recorder);
  return recording;
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const giveUpAt = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > giveUpAt) throw new Error(`not in ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Presentation times of all video packets of a file, in file order, in ms. */
async function packetTimes(file: string): Promise<{ pts: number[]; dts: number[] }> {
  const args = [
    '-v',
    'warning',
    '-select_streams',
    'v',
    '-show_entries',
    'packet=pts_time,dts_time',
    '-of',
    'csv=p=0',
    file,
  ];
  const { stdout, stderr } = await runTool('ffprobe', args, { deadlineMs: 10_000 });
  expect(stderr).toBe('');
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(',').map((field) => Math.round(Number(field) * 1000)));
  return { pts: rows.map((row) => row[0] ?? NaN), dts: rows.map((row) => row[1] ?? NaN) };
}

describe('recorder', () => {
  it('keeps order and times of a camera with B-frames, from the first picture on and across files', async () => {
    const { recorder, segments, anchors } = record('bframes');
    await until('two segments', () => segments.length >= 2);
    await recorder.stop();
    const pts: number[] = [];
    // The last file was cut by stop, perhaps between a picture and those that are shown before it.
    for (const { file } of segments.slice(0, 2)) {
      const times = await packetTimes(file);
      expect(times.dts).toEqual(times.dts.toSorted((a, b) => a - b));
      expect(times.pts).not.toEqual(times.dts); // it really has B-frames
      pts.push(...times.pts.toSorted((a, b) => a - b));
    }
    const steps = pts.slice(1).map((each, index) => each - (pts[index] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(65);
    expect(Math.max(...steps)).toBeLessThanOrEqual(68);
    expect(await frameHashes(segments[0]?.file ?? '')).toHaveLength(45);
    const [first, second] = segments as [ClosedSegment, ClosedSegment];
    expect(second.mediaStartMs - first.mediaStartMs).toBeCloseTo(first.durationMs, -1);
    expect(anchors[0]?.runId).toBe(first.runId);
    // A local test source is at most a second or so behind the picture's own time.
    expect(Math.abs(first.startAt - (Date.now() - recorder.metrics().segments * 3_000))).toBeLessThan(6_000);
    expect((await readdir(join(first.file, '../..'))).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('records H.265 under a tag that players know, turns G.711 into AAC, and copies AAC', async () => {
    const all = ['h265', 'audio', 'aac'].map((mount) => record(mount));
    await until('a segment of each', () => all.every((each) => each.segments.length > 0));
    const [h265, g711, aac] = await Promise.all(all.map((each) => probeMedia(each.segments[0]?.file ?? '')));
    expect(h265?.streams.map((each) => each.codec)).toEqual(['hevc']);
    expect((await readFile(all[0]?.segments[0]?.file ?? '')).includes('hvc1')).toBe(true);
    for (const facts of [g711, aac])
      expect(facts?.streams.map((each) => each.codec)).toEqual(['h264', 'aac']);
    expect(g711?.streams[1]?.sampleRateHz).toBe(8000);
    expect(aac?.streams[1]?.sampleRateHz).toBe(16000);
  });

  it('waits with the reason when the password is wrong or the path is unknown, and records with the right one', async () => {
    const wrong = record('secret', {
      source: server.source('secret', { username: 'viewer', password: 'no' }),
    });
    const unknown = record('nowhere');
    const right = record('secret', {
      source: server.source('secret', { username: 'viewer', password: 'p@ss/word' }),
    });
    await until('reasons', () => [wrong, unknown].every((each) => each.recorder.state().name === 'waiting'));
    expect(wrong.recorder.state()).toMatchObject({ cause: { code: 'unauthorized' } });
    expect(unknown.recorder.state()).toMatchObject({ cause: { code: 'rejected', details: { status: 404 } } });
    await until('pictures', () => right.recorder.state().name === 'recording');
    expect(JSON.stringify([wrong.states, right.states])).not.toMatch(/p@ss|p%40ss/);
  });

  it('ends a run that stalls half-way, keeps what came, and goes on when the camera does', async () => {
    const own = await startRtspServer();
    try {
      const recording = record('h264', { source: own.source('h264'), stallMs: 3_000, segmentMs: 60_000 });
      await until('pictures', () => recording.recorder.state().name === 'recording');
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      own.freeze();
      await until('the stall', () => recording.recorder.state().name === 'waiting', 12_000);
      expect(recording.recorder.state()).toMatchObject({ cause: { code: 'no-media' } });
      expect(recording.segments).toHaveLength(1);
      expect(await frameHashes(recording.segments[0]?.file ?? '')).not.toHaveLength(0);
      own.thaw();
      await until('pictures again', () => recording.recorder.state().name === 'recording');
      expect(recording.recorder.metrics().restarts).toBeGreaterThan(0);
    } finally {
      await own.stop();
    }
  });

  it('starts a new run when the time stamps of the camera go back, and keeps no footage with made-up times', async () => {
    const own = await startRtspServer();
    try {
      const recording = record('h264', { source: own.source('h264'), segmentMs: 60_000 });
      await until('pictures', () => recording.recorder.state().name === 'recording');
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      // The test server starts the clock of a shared stream again when a second viewer comes.
      const second = ['-v', 'quiet', '-nostdin', '-rtsp_transport', 'tcp', '-i', own.source('h264').url];
      await runTool('ffmpeg', [...second, '-t', '2', '-c', 'copy', '-f', 'null', '-'], {
        deadlineMs: 20_000,
      });
      await until('a new run', () => new Set(recording.anchors.map((each) => each.runId)).size === 2);
      expect(recording.states.find((each) => each.name === 'waiting')).toMatchObject({
        cause: { code: 'protocol' },
      });
      const [kept] = recording.segments as [ClosedSegment];
      const frames = (await frameHashes(kept.file)).length;
      expect(kept.durationMs / (frames * (1000 / 15))).toBeGreaterThan(0.3);
      expect(kept.durationMs / (frames * (1000 / 15))).toBeLessThan(1.1);
    } finally {
      await own.stop();
    }
  });

  it('says that the disk is full, keeps finished segments, and goes on when there is room again', async () => {
    const mount = join(root, 'small');
    await mkdir(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=36m', 'tmpfs', mount]);
    const filler = join(mount, 'filler');
    try {
      const recording = record('h264', { dir: join(mount, 'rec') });
      await until('a segment', () => recording.segments.length > 0);
      await runTool('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M'], { deadlineMs: 10_000 });
      await until('the state', () => recording.recorder.state().name === 'disk-full');
      const finished = recording.segments.map((each) => each.file);
      for (const file of finished) expect((await frameHashes(file)).length).toBeGreaterThan(0);
      await rm(filler);
      await until('pictures again', () => recording.recorder.state().name === 'recording', 40_000);
      await until('another segment', () => recording.segments.length > finished.length);
      await recording.recorder.stop();
    } finally {
      execFileSync('umount', [mount]);
    }
  });

  it('loses only the open group when the server is killed: ffmpeg ends with it, and the part is recovered', async () => {
    const dir = join(root, 'killed');
    const script = fileURLToPath(new URL('../fixtures/record-until-killed.ts', import.meta.url));
    const child = spawn(process.execPath, [script, server.source('h264').url, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const offsets = new Map<string, number>();
    child.stdout.on('data', (data: Buffer) => {
      for (const line of data.toString().trim().split('\n')) {
        const { runId, offsetMs } = JSON.parse(line) as { runId: string; offsetMs: number };
        offsets.set(runId, offsetMs);
      }
    });
    const parts = async () => (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.part'));
    await until('a finished segment and an open one', async () => {
      const names = await readdir(dir).catch(() => []);
      return names.some((name) => name.startsWith('20')) && (await parts()).length > 0;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' });
    const ffmpegs = children.trim().split(/\s+/).map(Number);
    expect(ffmpegs).toHaveLength(1);
    child.kill('SIGKILL');
    await until('the end of ffmpeg', () => ffmpegs.every((pid) => !isAlive(pid)), 8_000);
    const recovery = await recoverSegments({
      dir,
      offsetOf: (runId) => Promise.resolve(offsets.get(runId)),
      log,
    });
    expect(recovery.failed).toEqual([]);
    expect(recovery.recovered).toHaveLength(1);
    expect(recovery.recovered[0]?.startFrom).toBe('anchor');
    expect(recovery.recovered[0]?.durationMs).toBeGreaterThanOrEqual(900);
    expect(await frameHashes(recovery.recovered[0]?.file ?? '')).not.toHaveLength(0);
    expect(await parts()).toEqual([]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
