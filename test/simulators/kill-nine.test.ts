import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run, Target } from '#api/backups/schema.ts';
import { openDatabase } from '#api/db/database.ts';
import type { Channel } from '#api/devices/schema.ts';
import type { ChannelTimeline, Export, Hold } from '#api/footage/schema.ts';
import { startProductProcess, until, type Product } from '../factories/product.ts';
import { runScript } from '../factories/script.ts';

/** How often the server is killed; set higher to look for what seldom happens. */
const rounds = Number(process.env.WEIAN_KILLS ?? 2);

describe('a server that is killed while it exports, backs up, restores and deletes', () => {
  const backupDir = mkdtempSync(join(tmpdir(), 'weian-backup-'));
  let product: Product;
  let channels: readonly Channel[];
  let held: { channelId: string; fromAt: string; toAt: string };
  let targetId: string;
  const recordings = () => join(product.dataDir, 'recordings');
  const get = <T>(path: string) => product.admin.send<T>('GET', path);
  const post = <T>(path: string, body: unknown) => product.admin.send<T>('POST', path, body);
  const iso = (at: number) => new Date(at).toISOString();
  const filesIn = (folder: string) =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
      : [];
  const timelineOf = async (span: { channelId: string; fromAt: string; toAt: string }) => {
    const { channelId, ...range } = span;
    const answer = await post<{ channels: ChannelTimeline[] }>('/api/footage/timeline', {
      channelIds: [channelId],
      ...range,
    });
    return answer.channels[0];
  };
  const areRecording = async () =>
    (await product.listChannels()).every((channel) => channel.recordingState === 'recording');

  beforeAll(async () => {
    product = await startProductProcess({
      devices: ['cam-01', 'cam-02', 'cam-04'],
      subnet: '127.0.36',
      probeIntervalMs: 30_000,
      env: { SEGMENT_SECONDS: '4' },
    });
    channels = await product.registerAll();
    const [first] = channels as [Channel];
    const fromAt = await until(async () => {
      const range = { fromAt: iso(Date.now() - 120_000), toAt: iso(Date.now()) };
      const [span] = (await timelineOf({ channelId: first.id, ...range }))?.spans ?? [];
      return span && Date.parse(span.toAt) - Date.parse(span.fromAt) > 10_000 ? span.fromAt : undefined;
    }, 90_000);
    held = { channelId: first.id, fromAt, toAt: iso(Date.parse(fromAt) + 8_000) };
    await post<Hold>('/api/footage/holds', { ...held, reason: '公安调取' });
    await post('/api/backups/targets', { name: '备份', kind: 'folder', config: { path: backupDir } });
    targetId = (await get<{ targets: Target[] }>('/api/backups/targets')).targets[0]?.id ?? '';
    // So little room that something is deleted all the time.
    const { usedBytes } = await get<{ usedBytes: number }>('/api/footage/storage');
    const settings = await get<{ storage: object }>('/api/settings');
    const storage = { ...settings.storage, maxBytes: Math.max(1_000_000, usedBytes + 1_200_000) };
    await product.admin.send('PATCH', '/api/settings', { storage });
  }, 180_000);
  afterAll(async () => {
    await product?.close();
    rmSync(backupDir, { recursive: true, force: true });
  });

  /** The last 9 s of what is recorded of a channel, once it is at least so long. */
  const newestSpan = (channelId: string, leastMs: number) =>
    until(async () => {
      const range = { fromAt: iso(Date.now() - 300_000), toAt: iso(Date.now()) };
      const span = (await timelineOf({ channelId, ...range }))?.spans.at(-1);
      const [from, to] = [Date.parse(span?.fromAt ?? ''), Date.parse(span?.toAt ?? '')];
      return to - from >= leastMs ? { fromAt: iso(Math.max(from, to - 9_000)), toAt: iso(to) } : undefined;
    }, 60_000);

  /** Starts everything that a kill could hurt. */
  async function beginWork(round: number): Promise<void> {
    for (const id of [channels[1]?.id ?? '', channels[2]?.id ?? '']) {
      const span = await newestSpan(id, 5_000);
      const ask = { channelId: id, ...span, reason: '断电演练' };
      await Promise.all([post<Export>('/api/exports', ask), post<Export>('/api/exports', ask)]); // the same range twice at once
    }
    const range = { fromAt: iso(Date.now() - 60_000), toAt: iso(Date.now()) };
    await post('/api/backups/copy', { targetId, channelIds: null, ...range, isHeldOnly: false });
    await post('/api/backups/copy', {
      targetId,
      channelIds: [held.channelId],
      fromAt: held.fromAt,
      toAt: held.toAt,
      isHeldOnly: true,
    });
    if (round > 0) {
      // By now retention has deleted most of what the rounds before have copied.
      const old = { channelId: channels[2]?.id, fromAt: iso(Date.now() - 90_000), toAt: iso(Date.now()) };
      await post('/api/backups/restore', { targetId, ...old, keepDays: 1, reason: '演练' });
    }
  }

  async function expectNothingWrong(): Promise<void> {
    const { exports } = await until(async () => {
      const found = await get<{ exports: Export[] }>('/api/exports');
      const isOver = found.exports.every(({ state }) => state !== 'queued' && state !== 'running');
      return isOver ? found : undefined;
    }, 90_000);
    const { runs } = await until(async () => {
      const found = await get<{ runs: Run[] }>('/api/backups/runs');
      const isOver = found.runs.every(({ state }) => state !== 'queued' && state !== 'running');
      return isOver ? found : undefined;
    }, 90_000);
    expect(runs.length).toBeGreaterThan(0);
    expect(runs.filter(({ failures }) => failures.some(({ problem }) => problem !== 'gone'))).toEqual([]);

    const clips = filesIn(join(product.dataDir, 'exports'));
    const offered = exports
      .filter(({ state }) => state === 'ready')
      .flatMap(({ result }) => result?.files ?? []);
    expect(clips.map((path) => path.split('/').at(-1)).sort()).toEqual(
      offered.map(({ fileName }) => fileName).sort(),
    );
    for (const { fileName, sha256 } of offered)
      expect(await hashOf(join(product.dataDir, 'exports', fileName)), fileName).toBe(sha256);
    for (const { state, error } of exports) if (state === 'failed') expect(error).toMatch(/./);

    const timeline = await timelineOf(held);
    expect(timeline?.gaps, 'holes in what is held').toEqual([]);

    const db = openDatabase(`sqlite:${join(product.dataDir, 'weian.db')}`);
    const copies: { file: string; sha256: string }[] = await db('copies').select('file', 'sha256');
    await db.destroy();
    for (const { file, sha256 } of copies) expect(await hashOf(join(backupDir, file)), file).toBe(sha256);
  }

  it(`offers no wrong file, loses nothing that is held, and is in order, ${rounds} times`, async () => {
    const delays: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await beginWork(round);
      const delayMs = Math.round(Math.random() * 2_500);
      delays.push(delayMs);
      await sleep(delayMs);
      await product.killServer();
      await product.start();
      await until(async () => ((await areRecording()) ? true : undefined), 60_000);
      await expectNothingWrong().catch((error: unknown) => {
        throw new Error(`after kills at ${delays.join(', ')} ms`, { cause: error });
      });
    }
    const removed = await timelineOf({
      channelId: channels[1]?.id ?? '',
      fromAt: held.fromAt,
      toAt: iso(Date.now()),
    });
    expect(removed?.gaps.map(({ cause }) => cause)).toContainEqual(expect.stringMatching(/^deleted-/));

    process.kill(product.serverPid, 'SIGTERM');
    await until(async () => (isAlive(product.serverPid) ? undefined : true), 30_000);
    expect(filesIn(recordings()).filter((path) => path.endsWith('.part'))).toEqual([]);
    const check = await runScript('footage-check', ['--hash'], { DATA_DIR: product.dataDir });
    expect(check.code, check.output).toBe(0);
  }, 3_600_000);
});

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const block of createReadStream(path) as AsyncIterable<Buffer>) hash.update(block);
  return hash.digest('hex');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH: no such process
  }
}
