import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelStream } from '#api/footage/types.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { addChannel, makeChannelSource, until, writeRecording } from '../factories/footage.ts';

const startAt = Date.parse('2026-11-24T15:59:40.000Z'); // 23:59:40 in Shanghai
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();

let app: TestApp;
let recordingsDir: string;
const streams = new Map<string, ChannelStream | null>();

beforeEach(async () => {
  streams.clear();
  streams.set('c1', null);
  app = await makeTestApp({ channels: makeChannelSource(streams), now: () => startAt + 3_600_000 });
  recordingsDir = join(app.dataDir, 'recordings');
  await addChannel(app.db, { id: 'c1', name: '急诊大厅' });
});
afterEach(() => app.destroy());

const timeline = async (fromAt: string, toAt: string) => {
  const response = await app.as('security', {
    method: 'POST',
    url: '/api/footage/timeline',
    payload: { channelIds: ['c1'], fromAt, toAt },
  });
  return response.json();
};

describe('the recording index at start', () => {
  it('takes up finished files that the index does not know, and says why footage around them is missing', async () => {
    await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 30 });
    await writeRecording({ recordingsDir, channelId: 'c1', startAt: startAt + 90_000, seconds: 20 });
    await app.start();
    const { channels } = await timeline(iso(-10_000), iso(120_000));
    expect(channels[0].spans).toEqual([
      { fromAt: iso(0), toAt: iso(30_000) },
      { fromAt: iso(90_000), toAt: iso(110_000) },
    ]);
    expect(channels[0].gaps).toEqual([
      { fromAt: iso(-10_000), toAt: iso(0), cause: 'not-recorded-yet' },
      { fromAt: iso(30_000), toAt: iso(90_000), cause: 'server-stopped' },
      { fromAt: iso(110_000), toAt: iso(120_000), cause: 'server-stopped' },
    ]);
  });

  it('forgets a row whose file is gone, shows the gap for what it is, and puts it on the trail', async () => {
    const [, second] = await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 30 });
    await app.start();
    await rm(second?.file ?? '');
    await app.close();
    const again = await makeTestApp(
      { channels: makeChannelSource(streams), now: () => startAt + 3_600_000 },
      { DATA_DIR: app.dataDir },
    );
    try {
      await again.start();
      const response = await again.as('security', {
        method: 'POST',
        url: '/api/footage/timeline',
        payload: { channelIds: ['c1'], fromAt: iso(0), toAt: iso(30_000) },
      });
      expect(response.json().channels[0].gaps).toEqual([
        { fromAt: iso(10_000), toAt: iso(20_000), cause: 'file-missing' },
      ]);
      const facts = await again.db('audit_entries').where({ action: 'footage.files-missing' });
      expect(facts).toHaveLength(1);
      expect(JSON.parse(facts[0].detail_json)).toMatchObject({
        files: 1,
        fromAt: iso(10_000),
        toAt: iso(20_000),
      });
    } finally {
      await again.close();
    }
  });
});

describe('search', () => {
  it('finds footage that began the day before, by overlap and not by start', async () => {
    await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 30, segmentSeconds: 60 });
    await app.start();
    const after = await timeline(iso(25_000), iso(60_000));
    expect(after.channels[0].spans).toEqual([{ fromAt: iso(25_000), toAt: iso(30_000) }]);
    const days = await app.as('security', {
      method: 'GET',
      url: '/api/footage/days?channelId=c1&month=2026-11',
    });
    expect(days.json()).toEqual({ days: ['2026-11-24', '2026-11-25'] });
  });

  it('refuses an empty range, one over 31 days, and people without the right', async () => {
    const ask = (fromAt: string, toAt: string, role: 'security' | 'desk' = 'security') =>
      app.as(role, {
        method: 'POST',
        url: '/api/footage/timeline',
        payload: { channelIds: ['c1'], fromAt, toAt },
      });
    expect((await ask(iso(0), iso(0))).json().code).toBe('footage.range-invalid');
    expect((await ask(iso(0), iso(33 * 86_400_000))).statusCode).toBe(422);
    expect((await ask(iso(0), iso(1000), 'desk')).statusCode).toBe(403);
  });
});

describe('holds and retention', () => {
  const storage = (change: Record<string, unknown>) =>
    app.as('admin', {
      method: 'PATCH',
      url: '/api/settings',
      payload: {
        storage: { minFreeBytes: 100_000_000, maxBytes: null, warnDaysLeft: 2, ...change },
      },
    });

  it('keeps what is held whatever the limit, lets it go after the release, and records both', async () => {
    const files = await writeRecording({
      recordingsDir,
      channelId: 'c1',
      startAt,
      seconds: 60,
      size: '640x480',
    });
    const limit = Math.round((files[0]?.sizeBytes ?? 0) * 3.5); // of six files of about one size
    await app.start();
    const held = await app.as('security', {
      method: 'POST',
      url: '/api/footage/holds',
      payload: { channelId: 'c1', fromAt: iso(0), toAt: iso(9_000), reason: '纠纷取证' },
    });
    expect(held.statusCode).toBe(201);
    expect(held.json()).toMatchObject({ channelId: 'c1', reason: '纠纷取证', releasedAt: null });

    expect((await storage({ maxBytes: limit })).statusCode).toBe(200);
    const room = () => app.as('security', { method: 'GET', url: '/api/footage/storage' });
    await until(async () => (await room()).json().usedBytes <= limit, 10_000, 'room');
    expect((await room()).json()).toMatchObject({ limitBytes: limit, oldestAt: iso(0) });
    const { channels } = await timeline(iso(0), iso(60_000));
    expect(channels[0].gaps).toMatchObject([{ fromAt: iso(10_000), cause: 'deleted-before-minimum' }]);
    expect(channels[0].heldSpans).toEqual([{ fromAt: iso(0), toAt: iso(9_000) }]);
    const onDisk = await readdir(recordingsDir, { recursive: true });
    expect(onDisk.filter((name) => name.endsWith('.mp4'))).toHaveLength(await countSegments());

    await app.as('security', { method: 'DELETE', url: `/api/footage/holds/${held.json().id}` });
    expect(
      (await app.as('security', { method: 'DELETE', url: `/api/footage/holds/${held.json().id}` }))
        .statusCode,
    ).toBe(409);
    const actions = await app
      .db('audit_entries')
      .whereIn('action', ['footage.held', 'footage.released'])
      .orderBy('seq');
    expect(actions.map((row) => row.action)).toEqual(['footage.held', 'footage.released']);
  });

  async function countSegments(): Promise<number> {
    return (await app.db('segments').select('id')).length;
  }
});
