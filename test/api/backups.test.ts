import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CopySpans, Target } from '#api/backups/schema.ts';
import type { ChannelTimeline, Hold } from '#api/footage/schema.ts';
import { makeBackupWorld, type BackupWorld } from '../factories/backups.ts';

let world: BackupWorld;
let folder: string;
let targetId: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weian-backup-'));
  world = await makeBackupWorld();
  targetId = await world.addTarget({ name: '备份盘', kind: 'folder', config: { path: folder } });
});
afterEach(async () => {
  await world.app.destroy();
  await rm(folder, { recursive: true, force: true });
});

const filesIn = async (dir: string) =>
  (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.mp4')).toSorted();
const copies = async () => {
  const { channelId, fromAt, toAt } = world;
  const query = { channelId, fromAt, toAt };
  const answer = await world.app.as('security', { method: 'GET', url: '/api/backups/copies', query });
  return answer.json<CopySpans>().targets;
};
const timeline = async () => {
  const { channelId, fromAt, toAt } = world;
  const payload = { channelIds: [channelId], fromAt, toAt };
  const answer = await world.app.as('security', { method: 'POST', url: '/api/footage/timeline', payload });
  return answer.json<{ channels: [ChannelTimeline] }>().channels[0];
};
const spans = async () => (await timeline()).spans;
const copiedSpans = async () => (await timeline()).sources.find(({ source }) => source === 'copy')?.spans;
const whole = () => [{ fromAt: world.fromAt, toAt: world.toAt }];
const targetState = async () => {
  const answer = await world.app.as('security', { method: 'GET', url: '/api/backups/targets' });
  return answer.json<{ targets: Target[] }>().targets[0];
};
const actions = async () =>
  (await world.app.db('audit_entries').orderBy('seq').select('action')).map(
    (row: { action: string }) => row.action,
  );
/** As retention would take it. */
async function loseAll(): Promise<void> {
  for (const name of await filesIn(world.recordingsDir)) await rm(join(world.recordingsDir, name));
  await world.app.db('segments').delete();
}

describe('a backup to a folder', () => {
  it('copies every file byte for byte, knows where each is, and copies nothing twice', async () => {
    const run = await world.waitFor(await world.copy(targetId), ['done', 'failed']);
    expect(run).toMatchObject({
      state: 'done',
      filesTotal: 12,
      filesDone: 12,
      filesFailed: 0,
      problem: null,
    });
    const names = await filesIn(world.recordingsDir);
    expect(await filesIn(folder)).toEqual(names);
    for (const name of names)
      expect(await readFile(join(folder, name))).toEqual(await readFile(join(world.recordingsDir, name)));
    expect(await copies()).toEqual([
      { targetId, targetName: '备份盘', spans: whole(), files: 12, filesOnlyThere: 0 },
    ]);
    expect(await targetState()).toMatchObject({ state: 'ok', copies: 12, copiedBytes: run.bytesDone });
    const again = await world.waitFor(await world.copy(targetId), ['done']);
    expect(again).toMatchObject({ filesTotal: 0, filesDone: 0 });
    expect(await actions()).toContain('backup.copy-done');
  });

  it('brings back what is gone here, proved by its hash, and holds it', async () => {
    await world.waitFor(await world.copy(targetId), ['done']);
    const bytes = await readFile(join(folder, (await filesIn(folder))[3] ?? ''));
    await loseAll();
    expect(await spans()).toEqual([]);
    expect(await copiedSpans()).toEqual(whole());
    expect((await copies())[0]).toMatchObject({ files: 12, filesOnlyThere: 12 });
    const run = await world.waitFor(await world.restore(targetId), ['done', 'failed']);
    expect(run).toMatchObject({ state: 'done', kind: 'restore', filesDone: 12 });
    expect(await spans()).toEqual(whole());
    const name = (await filesIn(world.recordingsDir))[3] ?? '';
    expect(await readFile(join(world.recordingsDir, name))).toEqual(bytes);
    const answer = await world.app.as('security', { method: 'GET', url: '/api/footage/holds' });
    const [hold] = answer.json<{ holds: Hold[] }>().holds;
    expect(hold).toMatchObject({ fromAt: world.fromAt, toAt: world.toAt, reason: '公安调取' });
    expect(Date.parse(hold?.untilAt ?? '') - Date.now()).toBeGreaterThan(6.9 * 86_400_000);
  });

  it('refuses a copy in which one byte was changed, says which, and offers it no more', async () => {
    await world.waitFor(await world.copy(targetId), ['done']);
    await loseAll();
    const [victim = '', longer = ''] = await filesIn(folder);
    const bytes = await readFile(join(folder, victim));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(join(folder, victim), bytes);
    await appendFile(join(folder, longer), 'x');
    const run = await world.waitFor(await world.restore(targetId), ['done', 'failed']);
    expect(run).toMatchObject({ state: 'failed', problem: 'some-files', filesDone: 10, filesFailed: 2 });
    expect(run.failures).toEqual([
      { file: victim, problem: 'copy-altered' },
      { file: longer, problem: 'copy-altered' },
    ]);
    expect(await filesIn(world.recordingsDir)).toHaveLength(10);
    expect((await readdir(world.recordingsDir, { recursive: true })).join()).not.toContain('.restore');
    expect((await copies())[0]).toMatchObject({ files: 10, filesOnlyThere: 0 });
    expect(await actions()).toContain('backup.copy-altered');
  });

  it('does not copy a file here that is no longer what it was', async () => {
    await world.waitFor(await world.copy(targetId), ['done']);
    const other = await mkdtemp(join(tmpdir(), 'weian-backup-'));
    try {
      const second = await world.addTarget({ name: '第二块', kind: 'folder', config: { path: other } });
      const [altered = '', short = ''] = await filesIn(world.recordingsDir);
      const bytes = await readFile(join(world.recordingsDir, altered));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(join(world.recordingsDir, altered), bytes);
      await writeFile(join(world.recordingsDir, short), bytes.subarray(0, 100));
      const run = await world.waitFor(await world.copy(second), ['done', 'failed']);
      expect(run).toMatchObject({ state: 'failed', filesDone: 10 });
      expect(run.failures).toEqual([
        { file: altered, problem: 'source-altered' },
        { file: short, problem: 'source-short' },
      ]);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it('waits while the disk is not mounted, says so, writes nothing below the mount point, and goes on by itself', async () => {
    const away = `${folder}-away`;
    await rename(folder, away);
    await mkdir(folder); // the bare mount point
    const id = await world.copy(targetId);
    const waiting = await world.waitFor(id, ['waiting']);
    expect(waiting).toMatchObject({ problem: 'not-mounted', filesDone: 0 });
    expect(Date.parse(waiting.nextTryAt ?? '')).toBeGreaterThan(Date.now());
    expect(await targetState()).toMatchObject({ state: 'not-mounted' });
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
    await rename(away, folder);
    expect(await world.waitFor(id, ['done'], 25_000)).toMatchObject({ filesDone: 12 });
    expect(await targetState()).toMatchObject({ state: 'ok' });
  });

  it('stops when it is cancelled, and keeps what was copied', async () => {
    await rename(folder, `${folder}-away`);
    const id = await world.copy(targetId);
    await world.waitFor(id, ['waiting']);
    await rename(`${folder}-away`, folder);
    const answer = await world.app.as('security', { method: 'DELETE', url: `/api/backups/runs/${id}` });
    expect(answer.statusCode).toBe(200);
    expect(await world.run(id)).toMatchObject({ state: 'cancelled' });
    const twice = await world.app.as('security', { method: 'DELETE', url: `/api/backups/runs/${id}` });
    expect(twice.json().code).toBe('conflict');
  });
});

describe('plans and targets', () => {
  const plan = (change: object = {}) => ({
    targetId,
    name: '每晚',
    schedule: '30 2 * * *',
    channelIds: null,
    lastHours: 24,
    isHeldOnly: false,
    isEnabled: true,
    ...change,
  });

  it('runs a plan on demand, begins the next where the last ended, and copies only held footage where asked', async () => {
    const hold = {
      channelId: world.channelId,
      fromAt: world.fromAt,
      toAt: new Date(Date.parse(world.fromAt) + 7_000).toISOString(),
      reason: '取证',
    };
    await world.post('/api/footage/holds', hold);
    await world.post('/api/backups/plans', plan({ isHeldOnly: true }));
    const list = async () =>
      (await world.app.as('admin', { method: 'GET', url: '/api/backups/plans' })).json().plans;
    const [saved] = await list();
    expect(saved).toMatchObject({ name: '每晚', copiedToAt: null });
    expect(new Date(saved.nextRunAt).toISOString()).toMatch(/T18:30:00/); // 02:30 in Shanghai
    const { id } = await world.post<{ id: string }>(`/api/backups/plans/${saved.id}/run`);
    const run = await world.waitFor(id, ['done']);
    expect(run).toMatchObject({ filesDone: 2, planName: '每晚', isHeldOnly: true });
    expect((await list())[0].copiedToAt).toBe(run.toAt);
  });

  it('refuses a schedule that never comes, a folder that is not there or another target’s, and whoever may not', async () => {
    const post = async (url: string, payload: object, role: 'admin' | 'security' = 'admin') =>
      (await world.app.as(role, { method: 'POST', url, payload })).json();
    for (const schedule of ['never', '0 0 30 2 *', '* * * * * *', '61 * * * *'])
      expect(await post('/api/backups/plans', plan({ schedule }))).toMatchObject({ code: 'request.invalid' });
    const target = (path: string) => ({ name: 'x', kind: 'folder', config: { path } });
    expect(await post('/api/backups/targets', target(join(folder, 'none')))).toMatchObject({
      code: 'backup.target',
      details: { problem: 'not-mounted' },
    });
    expect(await post('/api/backups/targets', target(folder))).toMatchObject({
      details: { problem: 'not-mounted' },
    });
    expect(await post('/api/backups/targets', target(folder), 'security')).toMatchObject({
      code: 'auth.forbidden',
    });
    expect((await stat(join(folder, '.weian-backup'))).size).toBeGreaterThan(10);
  });

  it('never gives the secret of storage back, in answers, log, trail or database', async () => {
    const config = {
      endpoint: 'http://127.0.0.1:1',
      region: 'us-east-1',
      bucket: 'weian',
      prefix: '',
      isPathStyle: true,
      accessKeyId: 'key',
    };
    const id = await world.addTarget({
      name: 'S3',
      kind: 's3',
      config,
      secretAccessKey: 'very-secret-word',
    });
    expect(await world.post(`/api/backups/targets/${id}/check`, {}, 200)).toEqual({ state: 'unreachable' });
    const answer = await world.app.as('admin', { method: 'GET', url: '/api/backups/targets' });
    const rows = await world.app.db('backup_targets');
    const trail = await world.app.db('audit_entries');
    const everything = JSON.stringify([answer.body, rows, trail]) + world.app.logLines.join('');
    expect(everything).not.toContain('very-secret-word');
    expect(rows.find((row: { id: string }) => row.id === id).sealed_secret).toMatch(/^v1\./);
  });
});
