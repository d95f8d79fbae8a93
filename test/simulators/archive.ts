import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelSpec } from './device-specs.ts';
import { PYTHON } from './rtsp-child.ts';

/** Footage from `startAt` to `endAt`, epoch ms. */
export interface ArchiveSpan {
  startAt: number;
  endAt: number;
}

/** What the NVR holds of one channel. */
export interface ArchiveRecording {
  token: string;
  /** The channel's number, as in the frame stamps. */
  number: number;
  name: string;
  /** RTSP path of the replay. */
  path: string;
  /** MP4; its time 0 is the archive's start, the gap is a jump in its timestamps. */
  file: string;
  /** In order, at least one gap between them. */
  spans: readonly ArchiveSpan[];
}

export interface Archive {
  startAt: number;
  fps: number;
  recordings: readonly ArchiveRecording[];
}

export interface ArchiveOptions {
  /** Length with the gap. Default 3. */
  minutes?: number;
  /** How many of the NVR's channels hold footage. Default all. */
  channels?: number;
}

/** Where the footage ends before the time it is made. */
const AGE_MS = 10 * 60_000;
/** Made footage is used again by later runs until it is so old; then "recent" would no longer be true. */
const REUSE_MS = 6 * 3_600_000;
/** Older archives are deleted, but not sooner: another hospital may still be serving them. */
const KEEP_MS = 48 * 3_600_000;
/** A folder of a run that was killed while it made its archive is deleted after this. */
const STALE_MS = 3_600_000;
const FPS = 5;
const GAP = { from: 0.4, to: 0.5 };

const scripts = ['archive.py', 'picture.py', 'scene.py'].map(
  (name) => new URL(`rtsp/${name}`, import.meta.url),
);

async function make(
  folder: string,
  startAt: number,
  seconds: number,
  channels: readonly ChannelSpec[],
): Promise<void> {
  const plan = {
    folder,
    startS: startAt / 1000,
    fps: FPS,
    width: 640,
    height: 360,
    parts: [
      [0, seconds * GAP.from],
      [seconds * GAP.to, seconds],
    ],
    channels: channels.map(({ number, name, scene, sign }) => ({ number, name, scene, sign })),
  };
  const child = spawn(PYTHON, [scripts[0]!.pathname, JSON.stringify(plan)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-2000)));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`The archive could not be made: ${log}`);
}

/** Start times (folder names) of finished archives, newest first. */
async function finished(root: string): Promise<number[]> {
  const names = await readdir(root);
  return names
    .filter((n) => /^\d+$/.test(n))
    .map(Number)
    .sort((a, b) => b - a);
}

async function removeStale(root: string): Promise<void> {
  for (const name of (await readdir(root)).filter((n) => n.startsWith('making-'))) {
    const { mtimeMs } = await stat(join(root, name));
    if (Date.now() - mtimeMs > STALE_MS) await rm(join(root, name), { recursive: true, force: true });
  }
}

/**
 * The NVR's footage: one MP4 a channel with a gap in it. Made once by ffmpeg, then taken from the cache folder
 * (`WEIAN_CACHE`, else the system's temporary folder) by a key of everything it depends on.
 * @throws Error when ffmpeg or Python fails.
 */
export async function prepareArchive(
  all: readonly ChannelSpec[],
  options: ArchiveOptions = {},
): Promise<Archive> {
  const seconds = (options.minutes ?? 3) * 60;
  const channels = all.slice(0, options.channels);
  const texts = await Promise.all(scripts.map((url) => readFile(url, 'utf8')));
  const key = createHash('sha256')
    .update(JSON.stringify([texts, channels, seconds, FPS, GAP]))
    .digest('hex')
    .slice(0, 16);
  const root = join(process.env['WEIAN_CACHE'] ?? join(tmpdir(), 'weian-cache'), `nvr-archive-${key}`);
  await mkdir(root, { recursive: true });

  await removeStale(root);

  const now = Date.now();
  const known = await finished(root);
  let startAt = known.find((at) => now - at - seconds * 1000 < REUSE_MS);
  if (startAt === undefined) {
    startAt = Math.floor((now - AGE_MS - seconds * 1000) / 60_000) * 60_000;
    const work = await mkdtemp(join(root, 'making-'));
    try {
      await make(work, startAt, seconds, channels);
      await rename(work, join(root, String(startAt)));
    } catch (error) {
      await rm(work, { recursive: true, force: true });
      // Another run that made the same archive at the same time is no failure.
      const other = await stat(join(root, String(startAt))).catch(() => undefined);
      if (!other) throw error;
    }
    for (const old of known.filter((at) => now - at > KEEP_MS))
      await rm(join(root, String(old)), { recursive: true, force: true });
  }
  const from = startAt;
  const folder = join(root, String(from));
  const at = (share: number): number => from + share * seconds * 1000;
  return {
    startAt: from,
    fps: FPS,
    recordings: channels.map(({ number, name }) => ({
      token: `Recording_${number}`,
      number,
      name,
      path: `/replay/${number}`,
      file: join(folder, `${number}.mp4`),
      spans: [
        { startAt: from, endAt: at(GAP.from) },
        { startAt: at(GAP.to), endAt: at(1) },
      ],
    })),
  };
}
