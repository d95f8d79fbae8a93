import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '#api/db/database.ts';
import { migrate } from '#api/db/migrate.ts';
import { silentLog as log } from '#media/log.ts';
import { runFfmpeg } from '#media/process/ffmpeg.ts';
import { words } from '#media/process/words.ts';
import { closeSegment } from '#media/recorder/close-segment.ts';
import { segmentOutput } from '#media/recorder/pull-command.ts';
import { newRunId } from '#media/recorder/segment-names.ts';
import { logIn, type ApiClient } from '../../scripts/demo/api-client.ts';
import { addChannel, until } from './footage.ts';

const serverEntry = new URL('../../server/main.ts', import.meta.url).pathname;
/** Cells of the number drawn across the top of each picture, least bit first, each as wide as the others. */
export const numberBits = 16;
export const archiveFps = 25;
const numberRows = 16;

/** A console with an archive of labelled footage and no camera behind it: what is played can be checked against its own number. */
export interface Archive {
  readonly origin: string;
  readonly dataDir: string;
  readonly admin: ApiClient;
  readonly password: string;
  readonly channelIds: readonly string[];
  /** When picture 0 of each channel was taken, epoch ms, in the order of `channelIds`: they differ by fractions of a group. */
  readonly startedAt: readonly number[];
  close(): Promise<void>;
}

/**
 * Records `seconds` of each camera, ended a minute ago, and starts the real server on it. Every picture carries its number (25 a second).
 * @param options.gap seconds from the start in which nothing was recorded, at the first camera
 */
export async function startArchive(options: {
  cameras: number;
  seconds: number;
  size?: string;
  gap?: { fromS: number; toS: number };
}): Promise<Archive> {
  const { cameras, seconds, size = '640x360', gap } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'weian-archive-'));
  const source = await writeNumbered(dataDir, { seconds, size });
  const firstAt = Math.floor(Date.now() / 1000) * 1000 - (seconds + 60) * 1000;
  const channelIds: string[] = [];
  const startedAt: number[] = [];
  const db = openDatabase(`sqlite:${join(dataDir, 'weian.db')}`);
  await migrate(db);
  await db('places').insert([
    { id: 'campus', kind: 'campus', name: '天府和安医院', created_at: 0, updated_at: 0 },
    { id: 'two', parent_id: 'campus', kind: 'building', name: '二号楼', created_at: 0, updated_at: 0 },
    { id: 'lift', parent_id: 'two', kind: 'area', name: '电梯厅', created_at: 0, updated_at: 0 },
  ]);
  for (let index = 0; index < cameras; index += 1) {
    const id = `cam-${index + 1}`;
    await addChannel(db, { id, name: `电梯厅 ${index + 1} 号` });
    await db('channels').where({ id }).update({ place_id: 'lift', is_recorded: 0, sort: index });
    const startAt = firstAt + index * 137;
    const dir = join(dataDir, 'recordings', id);
    mkdirSync(dir, { recursive: true });
    const parts =
      index === 0 && gap ? [[0, gap.fromS] as const, [gap.toS, seconds] as const] : [[0, seconds] as const];
    for (const [fromS, toS] of parts) await cutRun(source, dir, { startAt, fromS, toS });
    channelIds.push(id);
    startedAt.push(startAt);
  }
  await db.destroy();

  const password = 'archive-of-the-night-shift';
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const logFile = join(dataDir, 'server.log');
  const server = spawn(process.execPath, [serverEntry], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: dataDir,
      TLS: 'off',
      ADMIN_PASSWORD: password,
      CAMERA_NETWORKS: '127.0.0.0/8',
    },
  });
  const output = createWriteStream(logFile, { flags: 'a' });
  server.stdout?.pipe(output, { end: false });
  server.stderr?.pipe(output, { end: false });
  const admin = await until(
    async () => {
      if (server.exitCode !== null) throw new Error(`the server ended: ${readFileSync(logFile, 'utf8')}`);
      return logIn(origin, undefined, 'admin', password).catch(() => undefined);
    },
    60_000,
    'the server',
  );
  await admin.send('POST', '/api/first-run', {
    hospitalName: '天府和安医院',
    cameraNetworks: ['127.0.0.0/8'],
  });
  return {
    origin,
    dataDir,
    admin,
    password,
    channelIds,
    startedAt,
    async close() {
      await admin.close();
      await stop(server);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function ffmpeg(args: {
  inputs: { source: string; options: string[] }[];
  target: string;
  options: string[];
}) {
  const { inputs, target, options } = args;
  const end = await runFfmpeg({ inputs, outputs: [{ target, options }] }, { log, deadlineMs: 120_000 });
  if (end.exitCode !== 0) throw new Error(end.stderr.join('\n'));
}

async function writeNumbered(dir: string, spec: { seconds: number; size: string }): Promise<string> {
  const target = join(dir, 'numbered.mp4');
  const [width = ''] = spec.size.split('x');
  // A strip of one pixel a bit is cheap to compute; it is enlarged without smoothing.
  const strip = `color=black:size=${numberBits}x1:rate=${archiveFps},format=gray,geq=lum='255*mod(floor(N/pow(2\\,X))\\,2)',scale=${width}:${numberRows}:flags=neighbor`;
  await ffmpeg({
    inputs: [
      { source: `testsrc2=size=${spec.size}:rate=${archiveFps}`, options: words('-f lavfi') },
      { source: strip, options: words('-f lavfi') },
    ],
    target,
    options: [
      '-filter_complex',
      '[0:v][1:v]overlay=0:0,format=yuv420p',
      ...words(`-t ${spec.seconds} -c:v libx264 -preset ultrafast -bf 0 -g ${archiveFps} -sc_threshold 0`),
    ],
  });
  return target;
}

/** A stretch of the numbered source as one run of the recorder's own files of 10 s. */
async function cutRun(
  source: string,
  dir: string,
  { startAt, fromS, toS }: { startAt: number; fromS: number; toS: number },
): Promise<void> {
  const runId = newRunId(startAt + fromS * 1000);
  const output = segmentOutput({ dir, runId, segmentMs: 10_000, codec: 'h264' });
  await ffmpeg({
    inputs: [{ source, options: words(`-ss ${fromS}`) }],
    target: output.target,
    options: [...words(`-map 0:v:0 -t ${toS - fromS} -c copy`), ...output.options],
  });
  const parts = (await readdir(dir))
    .filter((name) => name.startsWith(runId) && name.endsWith('.part'))
    .sort();
  for (const part of parts)
    await closeSegment({ part: join(dir, part), dir, runId, offsetMs: startAt + fromS * 1000 });
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  await ended;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  probe.close();
  await once(probe, 'close');
  return port;
}
