import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '#api/app.ts';
import { loadConfig } from '#api/config.ts';
import { createLogger } from '#api/log.ts';
import { makeBackupWorld, type BackupWorld } from '../factories/backups.ts';
import { until, makeChannelSource } from '../factories/footage.ts';
import { startS3, type TestS3 } from '../factories/s3.ts';

const filesIn = async (dir: string) =>
  (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.mp4')).toSorted();

describe('a backup to S3-compatible storage', () => {
  let s3: TestS3;
  let world: BackupWorld;
  let client: S3Client;
  let targetId: string;
  beforeAll(async () => {
    s3 = await startS3();
    const { endpoint, bucket, accessKeyId, secretAccessKey } = s3;
    client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    world = await makeBackupWorld();
    targetId = await world.addTarget({
      name: '对象存储',
      kind: 's3',
      config: { endpoint, region: 'us-east-1', bucket, prefix: 'weian/', isPathStyle: true, accessKeyId },
      secretAccessKey,
    });
  });
  afterAll(async () => {
    client?.destroy();
    await world?.app.destroy();
    await s3?.close();
  });
  const loseAll = async () => {
    for (const name of await filesIn(world.recordingsDir)) await rm(join(world.recordingsDir, name));
    await world.app.db('segments').delete();
  };

  it('waits while the storage fails, and then copies every object byte for byte', async () => {
    await s3.stopStorage();
    const id = await world.copy(targetId);
    const waiting = await world.waitFor(id, ['waiting'], 60_000);
    expect(waiting.filesDone).toBe(0);
    expect(['unreachable', 'slow']).toContain(waiting.problem);
    await s3.startStorage();
    const run = await world.waitFor(id, ['done', 'failed'], 60_000);
    expect(run).toMatchObject({ state: 'done', filesDone: 12, filesFailed: 0 });
    for (const name of await filesIn(world.recordingsDir)) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: s3.bucket, Key: `weian/${name}` }));
      expect(await Body?.transformToByteArray()).toEqual(
        new Uint8Array(await readFile(join(world.recordingsDir, name))),
      );
    }
  });

  it('restores from it, all but the object that was tampered with', async () => {
    const sums = new Map<string, string>();
    const sum = async (name: string) =>
      createHash('sha256')
        .update(await readFile(join(world.recordingsDir, name)))
        .digest('hex');
    for (const name of await filesIn(world.recordingsDir)) sums.set(name, await sum(name));
    const [victim = ''] = sums.keys();
    const bytes = await readFile(join(world.recordingsDir, victim));
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: `weian/${victim}`, Body: bytes }));
    await loseAll();
    const run = await world.waitFor(await world.restore(targetId), ['done', 'failed'], 60_000);
    expect(run).toMatchObject({
      state: 'failed',
      filesDone: 11,
      failures: [{ file: victim, problem: 'copy-altered' }],
    });
    const back = await filesIn(world.recordingsDir);
    expect(back).toEqual([...sums.keys()].slice(1));
    for (const name of back) expect(await sum(name)).toBe(sums.get(name));
  });
});

describe('a console that is killed while it copies and restores', () => {
  it('goes on where it was, offers no wrong file, and loses none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'weian-backup-'));
    const world = await makeBackupWorld({}, { seconds: 250, segmentSeconds: 1 });
    const { recordingsDir } = world;
    const { dataDir } = world.app;
    const openApp = async () =>
      buildApp(loadConfig({ DATA_DIR: dataDir, TLS: 'off', HOST: '127.0.0.1' }), {
        log: createLogger({ logLevel: 'silent' }),
        channels: makeChannelSource(new Map([['c1', null]])),
      });
    /** Lets a process work on the run and kills it after a moment, three times; then lets it end. @returns how often it was killed at work */
    const killUntilDone = async (runId: string, state: string, check: () => Promise<void>) => {
      for (let kills = 0; kills < 3; kills += 1) {
        const fixture = new URL('../fixtures/console-until-killed.ts', import.meta.url).pathname;
        const child = spawn(process.execPath, [fixture], {
          env: { ...process.env, DATA_DIR: dataDir },
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        await once(child.stdout, 'data');
        // The job that the dead process left is taken up with the first tick; then it works for a random moment.
        await new Promise((resolve) => setTimeout(resolve, 550 + Math.random() * 900));
        child.kill('SIGKILL');
        await once(child, 'exit');
        await check();
        const app = await openApp();
        try {
          const run = await app.db('backup_runs').where({ id: runId }).first();
          if (run.state === state) return kills;
          expect(['queued', 'running']).toContain(run.state);
        } finally {
          await app.close();
        }
      }
      const last = await openApp();
      try {
        await last.start();
        const find = async () => (await last.db('backup_runs').where({ id: runId }).first()).state === state;
        await until(find, 30_000, `the run as ${state}`);
        await check();
      } finally {
        await last.close();
      }
      return 3;
    };
    try {
      const targetId = await world.addTarget({ name: '盘', kind: 'folder', config: { path: folder } });
      const sums = new Map<string, string>();
      for (const name of await filesIn(recordingsDir))
        sums.set(
          name,
          createHash('sha256')
            .update(await readFile(join(recordingsDir, name)))
            .digest('hex'),
        );
      const isRight = async (dir: string, name: string) =>
        createHash('sha256')
          .update(await readFile(join(dir, name)))
          .digest('hex') === sums.get(name);
      const copyId = await world.copy(targetId);
      await world.app.close();
      const copyKills = await killUntilDone(copyId, 'done', async () => {
        for (const name of await filesIn(folder)) expect(await isRight(folder, name)).toBe(true);
      });
      expect(await filesIn(folder)).toEqual([...sums.keys()]);

      const app = await openApp();
      expect(await app.db('copies')).toHaveLength(sums.size);
      for (const row of await app.db('copies')) expect(row.sha256).toBe(sums.get(row.file));
      for (const name of sums.keys()) await rm(join(recordingsDir, name));
      await app.db('segments').delete();
      await app.db('backup_runs').where({ id: copyId }).update({
        kind: 'restore',
        channel_ids_json: '["c1"]',
        state: 'queued',
        job_id: null,
        files_total: null,
        files_done: 0,
        bytes_done: 0,
        finished_at: null,
      });
      await app.close();
      const restoreKills = await killUntilDone(copyId, 'done', async () => {
        for (const name of await filesIn(recordingsDir))
          expect(await isRight(recordingsDir, name)).toBe(true);
      });
      expect(await filesIn(recordingsDir)).toEqual([...sums.keys()]);
      const after = await openApp();
      await after.start();
      expect(await until(async () => (await after.db('segments')).length === sums.size)).toBe(true);
      await after.close();
      expect(copyKills + restoreKills).toBeGreaterThan(1); // or nothing was tried here
    } finally {
      await world.app.destroy();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
