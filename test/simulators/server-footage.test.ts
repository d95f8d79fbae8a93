import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelTimeline, Export, Playback } from '#api/footage/schema.ts';
import { openDatabase } from '#api/db/database.ts';
import { decodeFrames, pictureSums, until } from '../factories/footage.ts';
import { startRtsp, type RtspFixture } from '../factories/rtsp.ts';

const server = fileURLToPath(new URL('../factories/footage-server.ts', import.meta.url));
const segmentSeconds = 5;
const mounts = { c1: 'h264', c2: 'bframes', c3: 'aac' } as const;
const channelIds = Object.keys(mounts);

interface Console {
  readonly child: ChildProcess;
  readonly origin: string;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

async function startConsole(dataDir: string, rtsp: RtspFixture): Promise<Console> {
  const cameras = Object.fromEntries(Object.entries(mounts).map(([id, mount]) => [id, rtsp.url(mount)]));
  const child = spawn(process.execPath, [server], {
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      SEGMENT_SECONDS: String(segmentSeconds),
      LOG_LEVEL: 'warn',
      TEST_CAMERAS: JSON.stringify(cameras),
    },
    stdio: ['ignore', 'pipe', process.env.SHOW_LOG ? 'inherit' : 'ignore'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const origin = `http://127.0.0.1:${line.split(' ')[1]}`;
  return {
    child,
    origin,
    async call(method, path, body) {
      const response = await fetch(`${origin}${path}`, {
        method,
        headers: {
          'x-test-role': 'admin',
          'x-csrf-token': 'test',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as never;
    },
  };
}

describe('recording real streams', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weian-kill-'));
  let rtsp: RtspFixture;
  let app: Console;

  beforeAll(async () => {
    rtsp = await startRtsp();
    app = await startConsole(dataDir, rtsp);
  });
  afterAll(async () => {
    if (app.child.exitCode === null && app.child.signalCode === null) {
      app.child.kill('SIGTERM');
      await once(app.child, 'exit');
    }
    await rtsp.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const iso = (at: number) => new Date(at).toISOString();
  const timeline = async (fromAt: number, toAt: number): Promise<ChannelTimeline[]> => {
    const ask = { channelIds, fromAt: iso(fromAt), toAt: iso(toAt) };
    return (await app.call<{ channels: ChannelTimeline[] }>('POST', '/api/footage/timeline', ask)).channels;
  };
  const recordedMs = ({ spans }: ChannelTimeline) =>
    spans.reduce((sum, span) => sum + Date.parse(span.toAt) - Date.parse(span.fromAt), 0);
  const listFiles = (dir: string, end: string) =>
    readdirSync(join(dataDir, dir), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith(end),
    );
  const exportOf = async (id: string) => app.call<Export>('GET', `/api/exports/${id}`);
  const startedAt = Date.now();

  it('shows in the timeline, plays and exports with the frames of the source', async () => {
    const [first] = await until(
      async () => {
        const found = await timeline(startedAt, Date.now());
        return found.every((channel) => recordedMs(channel) >= 14_000) ? found : undefined;
      },
      60_000,
      'fourteen seconds of every camera',
    );
    expect(first?.spans).toHaveLength(1);
    const fromAt = Date.parse(first?.spans[0]?.fromAt ?? '') + 2_500;
    const ask = { channelId: 'c1', fromAt: iso(fromAt), toAt: iso(fromAt + 9_000) };
    const played = await app.call<Playback>('POST', '/api/footage/playback', { ...ask, canDecodeH265: true });
    const frames = await decodeFrames(`${app.origin}${played.playlistUrl}`, [
      '-headers',
      'x-test-role: admin\r\n',
    ]);
    expect(frames.count).toBeGreaterThanOrEqual(9 * 15);

    const { id } = await app.call<Export>('POST', '/api/exports', { ...ask, reason: '取证' });
    const clip = await until(
      async () => {
        const found = await exportOf(id);
        return found.state === 'ready' || found.state === 'failed' ? found : undefined;
      },
      30_000,
      'the export',
    );
    expect(clip).toMatchObject({ state: 'ready', error: null });
    const result = clip.result;
    expect(result?.gaps).toEqual([]);
    expect(result?.leadMs).toBeLessThanOrEqual(1_100);
    const sums = await pictureSums(join(dataDir, 'exports', clip.fileName ?? ''));
    // The segments the clip was cut from, once the last of them is finished.
    const files = await until(
      async () => {
        const names = listFiles('recordings/c1', '.mp4').sort();
        const [start, length] = (names.at(-1)?.split('/').at(-1) ?? '').split('_').map(Number);
        return (start ?? 0) + (length ?? 0) >= fromAt + 10_000 ? names : undefined;
      },
      20_000,
      'the end of the last file',
    );
    const source = (
      await Promise.all(files.map((name) => pictureSums(join(dataDir, 'recordings/c1', name))))
    ).flat();
    const from = source.indexOf(sums[0] ?? '');
    expect(from).toBeGreaterThanOrEqual(0);
    expect(sums).toEqual(source.slice(from, from + sums.length));
    expect(sums.length).toBeGreaterThanOrEqual(9 * 15);
    expect(sums.length).toBeLessThanOrEqual((9 + 2) * 15);
  });

  it('loses nothing finished when the server is killed while it records and exports', async () => {
    const toAt = Date.now() - 200;
    const ask = { channelId: 'c2', fromAt: iso(toAt - 12_000), toAt: iso(toAt), reason: '取证' };
    const { id } = await app.call<Export>('POST', '/api/exports', ask);
    await until(async () => (await exportOf(id)).state === 'running', 10_000, 'the export to run');
    app.child.kill('SIGKILL');
    const killedAt = Date.now();
    await once(app.child, 'exit');
    const finished = listFiles('recordings', '.mp4');
    expect(finished.length).toBeGreaterThanOrEqual(6);

    app = await startConsole(dataDir, rtsp);
    const db = openDatabase(`sqlite:${join(dataDir, 'weian.db')}`);
    try {
      const rows: { file: string }[] = await db('segments').select('file');
      const indexed = new Set(rows.map((row) => row.file));
      expect(finished.filter((name) => !indexed.has(name))).toEqual([]);
    } finally {
      await db.destroy();
    }
    for (const channel of await timeline(startedAt, killedAt)) {
      const last = Date.parse(channel.spans.at(-1)?.toAt ?? '');
      // The open file was cut to its complete groups of pictures: a group of a second, and the way to the disk.
      expect(killedAt - last).toBeLessThan(segmentSeconds * 1000);
    }
    const clip = await until(
      async () => {
        const found = await exportOf(id);
        return found.state === 'ready' || found.state === 'failed' ? found : undefined;
      },
      40_000,
      'the end of the export that was cut off',
    );
    if (clip.state === 'failed') expect(clip.error).toMatch(/\w{5}/);
    else expect(clip.result?.durationMs).toBeGreaterThan(9_000);
    expect(listFiles('exports', '.part')).toEqual([]);
    await until(
      async () => (await timeline(killedAt, Date.now())).every((channel) => recordedMs(channel) > 2_000),
      40_000,
      'recording to go on',
    );
    const [again] = await timeline(startedAt, Date.now());
    expect(again?.gaps.filter((gap) => gap.cause === 'server-stopped')).toHaveLength(1);
    expect(listFiles('recordings', '.part').length).toBeLessThanOrEqual(channelIds.length);
  });

  it('finishes and indexes every open file when it is asked to stop', async () => {
    app.child.kill('SIGTERM');
    await once(app.child, 'exit');
    expect(listFiles('recordings', '.part')).toEqual([]);
    const db = openDatabase(`sqlite:${join(dataDir, 'weian.db')}`);
    try {
      const rows = await db('segments').select('file');
      expect(rows).toHaveLength(listFiles('recordings', '.mp4').length);
      expect(await db('recording_runs').whereNull('ended_at')).toEqual([]);
    } finally {
      await db.destroy();
    }
  });
});
