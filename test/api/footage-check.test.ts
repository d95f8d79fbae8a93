import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCopyStore } from '#api/backups/copy-store.ts';
import { openDatabase } from '#api/db/database.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { addChannel, makeChannelSource, writeRecording } from '../factories/footage.ts';

const script = fileURLToPath(new URL('../../scripts/footage-check.ts', import.meta.url));
const startAt = Date.parse('2026-11-24T08:00:00Z');
let app: TestApp;
let dir: string;
let files: string[];

beforeEach(async () => {
  app = await makeTestApp({ channels: makeChannelSource(new Map([['c1', null]])) });
  dir = join(app.dataDir, 'recordings');
  await addChannel(app.db, { id: 'c1', name: '急诊大厅' });
  await writeRecording({ recordingsDir: dir, channelId: 'c1', startAt, seconds: 60, segmentSeconds: 10 });
  await app.start();
  await app.close();
  files = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.mp4')).toSorted();
});
afterEach(() => app.destroy());

function check(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    // Port 1: nothing listens there, whatever else the machine runs.
    const options = { env: { PATH: process.env.PATH, DATA_DIR: app.dataDir, PORT: '1' } };
    const child = execFile(process.execPath, [script, ...args], options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}
const query = async <T>(work: (db: ReturnType<typeof openDatabase>) => Promise<T>): Promise<T> => {
  const db = openDatabase(`sqlite:${join(app.dataDir, 'weian.db')}`);
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
};
const path = (index: number) => join(dir, files[index] ?? '');

it('says that index and files agree, and is on the trail', async () => {
  const { code, output } = await check();
  expect(output).toContain('Files: 6, in the index: 6');
  expect(output).toContain('The index and the files agree.');
  expect(code).toBe(0);
  const row = await query((db) => db('audit_entries').orderBy('seq', 'desc').first());
  expect(row).toMatchObject({ action: 'footage.checked', outcome: 'ok' });
});

it('tells what is missing, extra, short, longer, empty, torn and foreign apart, and repairs the index from the files', async () => {
  await rm(path(0)); // missing
  await query((db) => db('segments').where({ file: files[1] }).delete()); // extra
  const { size } = await stat(path(2));
  await truncate(path(2), size - 1000); // short: its last picture group is gone
  await writeFile(path(3), ''); // empty
  await query((db) => db('segments').where({ file: files[4] }).update({ size_bytes: 5 })); // longer than its row
  await query((db) => db('segments').where({ file: files[5] }).delete());
  await truncate(path(5), 700); // torn, and unknown to the index
  await writeFile(join(dir, 'c1', 'notes.txt'), 'x');
  await mkdir(join(dir, 'elsewhere'));
  await copyFile(path(2), `${path(2)}.restore`);

  const before = await check();
  expect(before.code).toBe(1);
  for (const line of [
    'missing: 1',
    'extra: 1',
    'short: 1',
    'altered: 1',
    'empty: 1',
    'torn: 1',
    'foreign: 2',
    'left-over: 1',
  ])
    expect(before.output).toContain(line);
  expect((await check()).output).toBe(before.output); // a check alone changes nothing

  const repaired = await check('--repair');
  const left = repaired.output.slice(repaired.output.indexOf('What is left'));
  expect(left).toContain('Files: 5, in the index: 3');
  for (const line of ['empty: 1', 'torn: 1', 'foreign: 2']) expect(left).toContain(line);
  expect(left).not.toMatch(/missing:|extra:|short:|altered:|left-over:/);
  expect(repaired.code).toBe(1); // what cannot be played is still there: no file of ours is ever deleted
  const rows = await query((db) => db('segments').orderBy('start_at'));
  expect(rows.map((row: { file: string }) => row.file)).toEqual([files[1], files[2], files[4]]);
  expect(rows[1]).toMatchObject({ size_bytes: size - 1000, end_at: startAt + 29_000 });
  expect(rows[2].size_bytes).toBe((await stat(path(4))).size);
}, 60_000);

it('finds a change that keeps the size only by hash, and only where a copy was made', async () => {
  const bytes = await readFile(path(2));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await query(async (db) => {
    const target = { id: 't', name: 't', kind: 'folder', config_json: '{}', created_at: 0, updated_at: 0 };
    await db('backup_targets').insert(target);
    const row = await db('segments').where({ file: files[2] }).first();
    await createCopyStore(db).insert(
      {
        targetId: 't',
        channelId: 'c1',
        runId: row.run_id,
        file: row.file,
        startAt: row.start_at,
        endAt: row.end_at,
        sizeBytes: row.size_bytes,
        videoCodec: row.video_codec,
        hasAudio: false,
        sha256,
      },
      0,
    );
  });
  expect(await check('--hash')).toMatchObject({ code: 0 });
  for (const index of [2, 3]) {
    const altered = await readFile(path(index));
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    await writeFile(path(index), altered);
  }
  expect((await check()).code).toBe(0);
  const { code, output } = await check('--hash');
  expect(code).toBe(1);
  expect(output).toContain('compared by hash: 1.');
  expect(output).toContain('altered: 1');
  expect(output).toContain(files[2]);
});

it('rebuilds the index from the names alone when the database is lost', async () => {
  for (const name of await readdir(app.dataDir))
    if (name.startsWith('weian.db')) await rm(join(app.dataDir, name));
  expect(await check()).toMatchObject({ code: 2 });
  const { code, output } = await check('--rebuild');
  expect(output).toContain('Channels made for folders that no camera owns: 1.');
  expect(output).toContain('Index rebuilt: 6 files');
  expect(code).toBe(0);
  const again = await makeTestApp(
    { channels: makeChannelSource(new Map([['c1', null]])) },
    { DATA_DIR: app.dataDir },
  );
  try {
    await again.start();
    const range = {
      fromAt: new Date(startAt).toISOString(),
      toAt: new Date(startAt + 60_000).toISOString(),
    };
    const payload = { channelIds: ['c1'], ...range };
    const answer = await again.as('security', { method: 'POST', url: '/api/footage/timeline', payload });
    expect(answer.json().channels[0].spans).toEqual([range]);
  } finally {
    await again.close();
  }
});

it('does not write while a server runs', async () => {
  const address = await app.http.listen({ port: 0, host: '127.0.0.1' }).catch(() => undefined);
  const running = address ? app : await makeTestApp();
  const url = new URL(address ?? (await running.http.listen({ port: 0, host: '127.0.0.1' })));
  const result = await new Promise<string>((resolve) => {
    const options = { env: { PATH: process.env.PATH, DATA_DIR: app.dataDir, PORT: url.port } };
    execFile(process.execPath, [script, '--repair'], options, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  expect(result).toContain('stop the server first');
  if (running !== app) await running.destroy();
});
