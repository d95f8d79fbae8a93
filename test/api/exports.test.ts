import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Role } from '#api/auth/permissions.ts';
import type { ChannelStream } from '#api/footage/types.ts';
import type { Export } from '#api/footage/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import {
  addChannel,
  decodeFrames,
  fixtureFps,
  fixtureGopSeconds,
  makeChannelSource,
  pictureSums,
  until,
  writeRecording,
} from '../factories/footage.ts';

const startAt = Date.parse('2026-11-24T15:59:30.000Z'); // 23:59:30 in Shanghai
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();
const streams = new Map<string, ChannelStream | null>([['c1', null]]);

let app: TestApp;
let exportsDir: string;
let sources: string[];

const overrides = () => ({
  channels: makeChannelSource(streams),
  now: () => startAt + 3_600_000 + (performance.now() | 0),
});

beforeEach(async () => {
  app = await makeTestApp(overrides());
  exportsDir = join(app.dataDir, 'exports');
  await addChannel(app.db, { id: 'c1', name: '急诊/大厅 01' });
  const recordingsDir = join(app.dataDir, 'recordings');
  const files = [
    ...(await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 30 })),
    ...(await writeRecording({ recordingsDir, channelId: 'c1', startAt: startAt + 40_000, seconds: 20 })),
  ];
  sources = files.map((file) => file.file);
});
afterEach(() => app.destroy());

const ask = (fromMs: number, toMs: number, role: Role = 'security', reason = '家属投诉取证') =>
  app.as(role, {
    method: 'POST',
    url: '/api/exports',
    payload: { channelId: 'c1', fromAt: iso(fromMs), toAt: iso(toMs), reason },
  });
const get = (id: string, role: Role = 'security') =>
  app.as(role, { method: 'GET', url: `/api/exports/${id}` });
const untilEnded = (id: string): Promise<Export> =>
  until(
    async () => {
      const entry = (await get(id, 'admin')).json() as Export;
      return ['ready', 'failed', 'cancelled'].includes(entry.state) ? entry : undefined;
    },
    20_000,
    'the end of the export',
  );
const trail = async (): Promise<string[]> =>
  (await app.db('audit_entries').where({ subject_type: 'export' }).orderBy('seq')).map((row) => row.action);

/** Files in the exports folder, packages left out. */
async function listClips(): Promise<string[]> {
  const entries = await readdir(exportsDir, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('an export', () => {
  it('holds the frames of the source within one group of pictures at the ends, and lists the gap', async () => {
    await app.start();
    const created = await ask(3_500, 55_300);
    expect(created.statusCode).toBe(201);
    const { id } = created.json() as Export;
    const entry = await untilEnded(id);
    expect(entry).toMatchObject({ state: 'ready', error: null, progress: 1, requestedByName: 'security' });
    expect(entry.fileName).toBe(`急诊-大厅-01_20261124-235933_20261125-000025_${id.slice(-8)}.mp4`);
    const { result } = entry;
    expect(result).toMatchObject({ videoCodec: 'h264', hasAudio: false, isDecodable: true });
    expect(result?.gaps).toEqual([{ fromAt: iso(30_000), toAt: iso(40_000) }]);
    expect(result?.leadMs).toBe(500);

    const file = join(exportsDir, entry.fileName ?? '');
    const all = (await Promise.all(sources.map(pictureSums))).flat();
    const clip = await pictureSums(file);
    const from = all.indexOf(clip[0] ?? '');
    expect(from).toBe(3 * fixtureFps); // the key frame before 3.5 s
    const gop = fixtureGopSeconds * fixtureFps;
    const wanted = all.slice(from, from + clip.length);
    expect(clip).toEqual(wanted);
    const askedEnd = 30 * fixtureFps + 15.3 * fixtureFps;
    expect(from + clip.length).toBeGreaterThanOrEqual(askedEnd);
    expect(from + clip.length).toBeLessThanOrEqual(askedEnd + gop);
    expect(result?.frameCount).toBe(clip.length);

    const decoded = await decodeFrames(file);
    expect(decoded.count).toBe(clip.length);
    const bytes = await readFile(file);
    expect(entry.sizeBytes).toBe(bytes.length);
    expect(entry.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await listClips()).toEqual([entry.fileName]);
  });

  it('can be downloaded in pieces that make up the file, and its trail tells who, why and what', async () => {
    await app.start();
    const { id } = (await ask(0, 20_000)).json() as Export;
    expect((await app.as('security', { method: 'GET', url: `/api/exports/${id}/file` })).json().code).toBe(
      'export.not-ready',
    );
    const entry = await untilEnded(id);
    const url = `/api/exports/${id}/file`;
    const whole = await app.as('security', { method: 'GET', url });
    expect(whole.statusCode).toBe(200);
    expect(whole.headers).toMatchObject({
      'content-type': 'video/mp4',
      'accept-ranges': 'bytes',
      etag: `"${entry.sha256}"`,
      'content-length': String(entry.sizeBytes),
    });
    expect(whole.headers['content-disposition']).toContain(
      `filename*=UTF-8''${encodeURIComponent(entry.fileName ?? '')}`,
    );
    const half = Math.floor(whole.rawPayload.length / 2);
    const ranged = (range: string, more: Record<string, string> = {}) =>
      app.as('security', { method: 'GET', url, headers: { range, ...more } });
    const first = await ranged(`bytes=0-${half - 1}`);
    const second = await ranged(`bytes=${half}-`, { 'if-range': `"${entry.sha256}"` });
    expect([first.statusCode, second.statusCode]).toEqual([206, 206]);
    expect(Buffer.concat([first.rawPayload, second.rawPayload]).equals(whole.rawPayload)).toBe(true);
    expect((await ranged('bytes=5-', { 'if-range': '"other"' })).statusCode).toBe(200);
    expect((await ranged('bytes=99999999999-')).statusCode).toBe(416);
    const head = await app.as('security', { method: 'HEAD', url });
    expect(head.headers['content-length']).toBe(String(entry.sizeBytes));
    expect(head.rawPayload).toHaveLength(0);

    expect((await app.as('security', { method: 'DELETE', url: `/api/exports/${id}` })).statusCode).toBe(200);
    expect((await get(id)).statusCode).toBe(404);
    expect(await listClips()).toEqual([]);
    expect(await trail()).toEqual([
      'export.requested',
      'export.ready',
      'export.downloaded',
      'export.deleted',
    ]);
    const [requested] = await app.db('audit_entries').where({ action: 'export.requested' });
    expect(requested).toMatchObject({ actor_id: 'user-security', subject_id: id });
    expect(JSON.parse(requested.detail_json)).toEqual({
      channelId: 'c1',
      fromAt: iso(0),
      toAt: iso(20_000),
      reason: '家属投诉取证',
    });
  });

  it('refuses what cannot be exported, with the reason', async () => {
    await app.start();
    expect((await ask(0, 500)).json()).toMatchObject({
      code: 'footage.range-invalid',
      details: { problem: 'length' },
    });
    expect((await ask(0, 13 * 3_600_000)).json().code).toBe('footage.range-invalid');
    expect((await ask(3_599_000, 5_000_000)).json()).toMatchObject({
      code: 'footage.range-invalid',
      details: { problem: 'future' },
    });
    expect((await ask(31_000, 39_000)).json().code).toBe('footage.none');
    expect((await ask(0, 5_000, 'security', 'x')).json().code).toBe('request.invalid');
    for (const role of ['desk', 'engineer', 'viewer', 'auditor'] as const)
      expect((await ask(0, 5_000, role)).statusCode).toBe(403);
    expect(await app.db('exports').select('id')).toEqual([]);
    expect(await app.db('jobs').select('id')).toEqual([]);
  });

  it('is seen by whoever asked and by those who may see all, and audited reading is no downloading', async () => {
    await app.start();
    const { id } = (await ask(0, 5_000, 'admin')).json() as Export;
    await untilEnded(id);
    expect((await get(id, 'security')).statusCode).toBe(404);
    expect((await get(id, 'auditor')).statusCode).toBe(200);
    expect((await get(id, 'desk')).statusCode).toBe(403);
    const list = async (role: Role) =>
      (await app.as(role, { method: 'GET', url: '/api/exports' })).json().exports;
    expect(await list('security')).toEqual([]);
    expect(await list('auditor')).toHaveLength(1);
    expect((await app.as('auditor', { method: 'GET', url: `/api/exports/${id}/file` })).statusCode).toBe(403);
    const denied = await app.db('audit_entries').where({ action: 'request.denied' });
    expect(denied.map((row) => row.actor_id).sort()).toEqual(['user-auditor', 'user-desk']);
  });

  it('can be cancelled before it runs', async () => {
    await app.start();
    await app.close();
    const idle = await makeTestApp(overrides(), { DATA_DIR: app.dataDir }); // indexed, and no job runs
    try {
      const by = (options: InjectOptions) => idle.as('security', options);
      const payload = { channelId: 'c1', fromAt: iso(0), toAt: iso(20_000), reason: '家属投诉取证' };
      const { id } = (await by({ method: 'POST', url: '/api/exports', payload })).json() as Export;
      const url = `/api/exports/${id}`;
      expect((await by({ method: 'DELETE', url })).statusCode).toBe(200);
      expect((await by({ method: 'GET', url })).json()).toMatchObject({ state: 'cancelled', fileName: null });
      await idle.start();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect((await by({ method: 'GET', url })).json().state).toBe('cancelled');
      expect(await listClips()).toEqual([]);
      const rows = await idle.db('audit_entries').where({ subject_type: 'export' }).orderBy('seq');
      expect(rows.map((row) => row.action)).toEqual([
        'export.requested',
        'export.cancel-requested',
        'export.cancelled',
      ]);
    } finally {
      await idle.close();
    }
  });

  it('fails with a reason when the footage is lost meanwhile', async () => {
    await app.start();
    const asked = (await ask(41_000, 59_000)).json() as Export;
    for (const file of sources) await writeFile(file, 'damaged');
    const entry = await untilEnded(asked.id);
    expect(entry.state).toBe('failed');
    expect(entry.error).toMatch(/\w{5}/);
    expect(await listClips()).toEqual([]);
    expect(await trail()).toEqual(['export.requested', 'export.failed']);
  });

  it('leaves no part file behind when the server died, and takes the job up again', async () => {
    await app.start();
    const { id } = (await ask(0, 20_000)).json() as Export;
    const done = await untilEnded(id);
    // As a killed process leaves it: job and row running, half a file.
    await app.close();
    const again = await makeTestApp(overrides(), { DATA_DIR: app.dataDir });
    try {
      await again
        .db('exports')
        .where({ id })
        .update({ state: 'running', file: null, result_json: null, finished_at: null });
      await again
        .db('jobs')
        .update({ state: 'running', claimed_by: 'gone:1:1', claimed_until_at: 1, attempts: 1 });
      await writeFile(join(exportsDir, `${done.fileName}.part`), 'half');
      await writeFile(join(exportsDir, 'stray.mp4'), 'nobody owns this');
      await again.start();
      const entry = await until(async () => {
        const found = (
          await again.as('security', { method: 'GET', url: `/api/exports/${id}` })
        ).json() as Export;
        return found.state === 'ready' ? found : undefined;
      });
      expect(entry.sha256).toBe(done.sha256); // safe to repeat: the same clip, bit for bit
      expect(await listClips()).toEqual([entry.fileName]);
    } finally {
      await again.close();
    }
  });
});
