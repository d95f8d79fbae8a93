import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Knex } from 'knex';
import { AppError } from '#api/errors.ts';
import type { ChannelSource, ChannelStream } from '#api/footage/types.ts';
import { closeSegment, type ClosedSegment } from '#media/recorder/close-segment.ts';
import { segmentOutput } from '#media/recorder/pull-command.ts';
import { newRunId } from '#media/recorder/segment-names.ts';

const run = promisify(execFile);

/** A registered camera of one channel, enough for the foreign keys. */
export async function addChannel(
  db: Knex,
  channel: { id: string; name?: string; deviceId?: string },
): Promise<void> {
  const deviceId = channel.deviceId ?? `device-${channel.id}`;
  const at = { created_at: 0, updated_at: 0 };
  await db('devices')
    .insert({
      id: deviceId,
      identity: deviceId,
      kind: 'camera',
      name: deviceId,
      host: '127.0.0.1',
      xaddr: 'http://127.0.0.1/',
      ...at,
    })
    .onConflict('id')
    .ignore();
  await db('channels').insert({
    id: channel.id,
    device_id: deviceId,
    source_token: channel.id,
    name: channel.name ?? channel.id,
    ...at,
  });
}

/** A register that tests fill: channels by id, with the stream of each, if it has one. */
export function makeChannelSource(
  streams: Map<string, ChannelStream | null>,
  nameOf: (id: string) => string = (id) => id,
): ChannelSource {
  const factsOf = (channelId: string) => ({
    channelId,
    deviceId: `device-${channelId}`,
    name: nameOf(channelId),
  });
  return {
    listRecorded: async () => [...streams].flatMap(([id, stream]) => (stream ? [factsOf(id)] : [])),
    async get(channelId) {
      if (!streams.has(channelId)) throw new AppError('not-found');
      return factsOf(channelId);
    },
    async getStream(channelId) {
      const stream = streams.get(channelId);
      if (stream === undefined) throw new AppError('not-found');
      if (stream === null) throw new AppError('channel.no-picture');
      return stream;
    },
  };
}

export interface RecordingSpec {
  readonly recordingsDir: string;
  readonly channelId: string;
  /** Wall time of the first picture, epoch ms. */
  readonly startAt: number;
  readonly seconds: number;
  readonly segmentSeconds?: number;
  readonly codec?: 'h264' | 'h265';
  readonly size?: string;
  readonly hasAudio?: boolean;
  /** Frame number written on the first picture; the others count on. */
  readonly runId?: string;
}
/** Frames a second, and seconds between key frames, of everything made here. */
export const fixtureFps = 10;
export const fixtureGopSeconds = 1;

/**
 * Real recording files of one run, written by ffmpeg with the recorder's own options and finished by its own code, as if a camera
 * had been recorded from `startAt` on. Faster than real time: half a second for a minute.
 */
export async function writeRecording(spec: RecordingSpec): Promise<ClosedSegment[]> {
  const {
    seconds,
    segmentSeconds = 10,
    codec = 'h264',
    size = '160x120',
    runId = newRunId(spec.startAt),
  } = spec;
  const dir = join(spec.recordingsDir, spec.channelId);
  await mkdir(dir, { recursive: true });
  const gop = String(fixtureFps * fixtureGopSeconds);
  const encoder =
    codec === 'h264'
      ? [
          '-c:v',
          'libx264',
          '-preset',
          'ultrafast',
          '-bf',
          '0',
          '-g',
          gop,
          '-keyint_min',
          gop,
          '-sc_threshold',
          '0',
        ]
      : [
          '-c:v',
          'libx265',
          '-preset',
          'ultrafast',
          '-x265-params',
          `keyint=${gop}:min-keyint=${gop}:scenecut=0:bframes=0:pools=1:log-level=error`,
        ];
  const output = segmentOutput({ dir, runId, segmentMs: segmentSeconds * 1000, codec });
  await run('ffmpeg', [
    '-hide_banner',
    '-loglevel',
    'error',
    '-y',
    '-copyts',
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=${size}:rate=${fixtureFps}:duration=${seconds}`,
    ...(spec.hasAudio
      ? ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=8000:duration=${seconds}`]
      : []),
    '-map',
    '0:v:0',
    ...encoder,
    '-pix_fmt',
    'yuv420p',
    ...(spec.hasAudio ? ['-map', '1:a:0', '-c:a', 'aac', '-b:a', '32k'] : ['-an']),
    ...output.options,
    output.target,
  ]);
  const parts = (await readdir(dir))
    .filter((name) => name.startsWith(runId) && name.endsWith('.part'))
    .sort();
  const segments: ClosedSegment[] = [];
  for (const part of parts) {
    const closed = await closeSegment({ part: join(dir, part), dir, runId, offsetMs: spec.startAt });
    if (closed) segments.push(closed);
  }
  return segments;
}

/**
 * The pictures of a file or playlist, decoded. `options` are ffprobe's own, before the source.
 * @throws Error when it does not decode cleanly
 */
export async function decodeFrames(
  source: string,
  options: readonly string[] = [],
): Promise<{ count: number; times: number[]; codec: string }> {
  const { stdout, stderr } = await run(
    'ffprobe',
    [
      '-v',
      'error',
      ...options,
      '-select_streams',
      'v:0',
      '-show_entries',
      'frame=best_effort_timestamp_time:stream=codec_name',
      '-of',
      'json',
      source,
    ],
    { maxBuffer: 64_000_000 },
  );
  if (stderr.trim() !== '') throw new Error(`ffprobe: ${stderr}`);
  const { frames, streams } = JSON.parse(stdout) as {
    frames: { best_effort_timestamp_time: string }[];
    streams: { codec_name: string }[];
  };
  return {
    count: frames.length,
    times: frames.map((frame) => Number(frame.best_effort_timestamp_time)),
    codec: streams[0]?.codec_name ?? '',
  };
}

/** Checksums of the decoded pictures of a file, in order: equal pictures have equal sums. */
export async function pictureSums(source: string): Promise<string[]> {
  const { stdout } = await run(
    'ffmpeg',
    [
      '-v',
      'error',
      '-ignore_editlist',
      '1',
      '-i',
      source,
      '-map',
      '0:v:0',
      '-fps_mode',
      'passthrough',
      '-f',
      'framemd5',
      '-',
    ],
    { maxBuffer: 64_000_000 },
  );
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(',').at(-1)?.trim() ?? '');
}

/** A folder that is gone when `use` ends. */
export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'weian-footage-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Waits until `check` gives something. @throws Error after `deadlineMs` */
export async function until<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 15_000,
  what = 'what was waited for',
): Promise<T> {
  const endAt = Date.now() + deadlineMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > endAt) throw new Error(`${what} did not come within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
