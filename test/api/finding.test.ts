import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChangeLine, FilmCell } from '#api/finding/schema.ts';
import type { ChannelStream } from '#api/footage/types.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { addChannel, makeChannelSource, writeRecording } from '../factories/footage.ts';

const startAt = Date.parse('2026-11-24T01:00:00.000Z');
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();
const streams = new Map<string, ChannelStream | null>([
  ['c1', null],
  ['c2', null],
]);
let app: TestApp;

beforeAll(async () => {
  app = await makeTestApp({ channels: makeChannelSource(streams), now: () => startAt + 3_600_000 });
  for (const id of streams.keys()) await addChannel(app.db, { id });
  const recordingsDir = join(app.dataDir, 'recordings');
  await writeRecording({ recordingsDir, channelId: 'c1', startAt, seconds: 30, size: '320x240' });
  await writeRecording({
    recordingsDir,
    channelId: 'c1',
    startAt: startAt + 60_000,
    seconds: 10,
    codec: 'h265',
  });
  await app.start();
});
afterAll(() => app.destroy());

const post = (url: string, payload: unknown, role: 'security' | 'admin' | 'engineer' | 'desk' = 'security') =>
  app.as(role, { method: 'POST', url, payload: payload as object });
const frame = (offsetMs: number, width?: number) =>
  app.as('security', {
    method: 'GET',
    url: `/api/footage/frame?${new URLSearchParams({ channelId: 'c1', at: iso(offsetMs), ...(width ? { width: String(width) } : {}) })}`,
  });
const jpegWidth = (data: Buffer) => data.readUInt16BE(data.indexOf(Buffer.from([0xff, 0xc0])) + 7);

describe('a thumbnail', () => {
  it('is the key frame at or before the instant, and tells its own time', async () => {
    const answer = await frame(12_700);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('image/jpeg');
    expect(answer.headers['cache-control']).toContain('no-store');
    expect(answer.headers['x-picture-at']).toBe(iso(12_000));
    expect(jpegWidth(answer.rawPayload)).toBe(320);
    const small = await frame(12_700, 100);
    expect(jpegWidth(small.rawPayload)).toBe(160);
    expect((await frame(12_000, 160)).rawPayload.equals(small.rawPayload)).toBe(true);
  });
  it('of H.265 is a picture too', async () => {
    const answer = await frame(63_500);
    expect(answer.headers['x-picture-at']).toBe(iso(63_000));
    expect(jpegWidth(answer.rawPayload)).toBe(160);
  });
  it('of a gap is none, of a channel nobody knows neither, and the desk gets none at all', async () => {
    expect((await frame(45_000)).json().code).toBe('footage.none');
    expect((await frame(-1)).json().code).toBe('footage.none');
    const url = `/api/footage/frame?${new URLSearchParams({ channelId: 'c9', at: iso(1_000) })}`;
    expect((await app.as('security', { method: 'GET', url })).statusCode).toBe(404);
    expect((await app.as('desk', { method: 'GET', url })).statusCode).toBe(403);
  });
  it('is forgotten once its footage is deleted', async () => {
    const cached = await frame(20_000);
    expect(cached.statusCode).toBe(200);
    const rows = await app.db('audit_entries').where({ action: 'footage.pictures-viewed' });
    expect(rows, 'many looks at one camera are one row').toHaveLength(1);
  });
});

describe('a filmstrip', () => {
  it('shows evenly spread pictures and marks what is missing', async () => {
    const ask = { channelId: 'c1', fromAt: iso(0), toAt: iso(80_000), count: 8 };
    const answer = await post('/api/footage/filmstrip', ask);
    const { cells } = answer.json<{ cells: FilmCell[] }>();
    expect(cells.map((cell) => cell.at)).toEqual(
      [5_000, 15_000, 25_000, 35_000, 45_000, 55_000, 65_000, 75_000].map(iso),
    );
    expect(cells.map((cell) => cell.frameAt)).toEqual([
      iso(5_000),
      iso(15_000),
      iso(25_000),
      null,
      null,
      null,
      iso(65_000),
      null,
    ]);
    expect(cells.every((cell) => (cell.url === null) === (cell.frameAt === null))).toBe(true);
    const picture = await app.as('security', { method: 'GET', url: cells[6]?.url ?? '' });
    expect(picture.headers['x-picture-at']).toBe(cells[6]?.frameAt);
  });
  it('refuses an empty range, one over a month, and too many pictures', async () => {
    const ask = { channelId: 'c1', fromAt: iso(0), count: 8 };
    expect((await post('/api/footage/filmstrip', { ...ask, toAt: iso(0) })).statusCode).toBe(422);
    expect((await post('/api/footage/filmstrip', { ...ask, toAt: iso(33 * 86_400_000) })).statusCode).toBe(
      422,
    );
    expect((await post('/api/footage/filmstrip', { ...ask, toAt: iso(9), count: 61 })).statusCode).toBe(400);
  });
});

describe('a snapshot', () => {
  it('is the very picture shown, in full size, and its hash is on the trail', async () => {
    const answer = await post('/api/footage/snapshots', { channelId: 'c1', at: iso(12_755) });
    expect(answer.headers['content-type']).toBe('image/png');
    expect(answer.headers['x-picture-at']).toBe(iso(12_700));
    expect(answer.rawPayload.readUInt32BE(16)).toBe(320);
    const sha256 = createHash('sha256').update(answer.rawPayload).digest('hex');
    expect(answer.headers['x-picture-sha256']).toBe(sha256);
    const [row] = await app.db('audit_entries').where({ action: 'footage.snapshot-taken' });
    expect(JSON.parse(row.detail_json)).toMatchObject({ at: iso(12_700), sha256 });
    const other = await post('/api/footage/snapshots', { channelId: 'c1', at: iso(12_655) });
    expect(other.rawPayload.equals(answer.rawPayload)).toBe(false);
  });
});

describe('the search for changes', () => {
  const area = [
    { x: 0, y: 0 },
    { x: 1, y: 0 },
    { x: 1, y: 1 },
    { x: 0, y: 1 },
  ];
  const search = async (ask: object) => {
    const answer = await post('/api/footage/changes', {
      channelId: 'c1',
      fromAt: iso(0),
      toAt: iso(80_000),
      area,
      ...ask,
    });
    return answer.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ChangeLine);
  };
  it('compares every key frame of the range, tells its progress, and remembers them for the next question', async () => {
    const lines = await search({});
    const end = lines.at(-1);
    expect(end).toMatchObject({ name: 'end', pictures: 40, unreadable: 0, decoded: 40, isCut: false });
    expect(lines.filter((line) => line.name === 'progress').length).toBe(4);
    const again = await search({ area: area.map(({ x, y }) => ({ x: x / 3, y })) });
    expect(again.at(-1)).toMatchObject({ name: 'end', pictures: 40, decoded: 0 });
    // testsrc2 moves all the time: something is found in it.
    expect(lines.some((line) => line.name === 'moment')).toBe(true);
  });
  it('says no to no footage, to an area without extent, and to a whole day', async () => {
    const ask = { channelId: 'c1', fromAt: iso(31_000), toAt: iso(59_000), area };
    expect((await post('/api/footage/changes', ask)).json().code).toBe('footage.none');
    const flat = area.map(({ x }) => ({ x, y: 0 }));
    expect((await post('/api/footage/changes', { ...ask, area: flat })).json().code).toBe('request.invalid');
    expect((await post('/api/footage/changes', { ...ask, toAt: iso(86_400_000) })).statusCode).toBe(422);
  });
});

describe('what happened', () => {
  const events = async (role: 'security' | 'admin' | 'engineer' = 'security') =>
    (
      await post(
        '/api/footage/events',
        { channelIds: ['c1', 'c2'], fromAt: iso(0), toAt: iso(3_600_000) },
        role,
      )
    ).json<{ events: { id: string; kind: string; text: string; toAt: string | null; isOwn: boolean }[] }>()
      .events;

  it('is faults, tickets, what cameras noticed, and bookmarks, newest first', async () => {
    await app.db('channel_events').insert([
      {
        id: 'e1',
        channel_id: 'c1',
        kind: 'motion',
        topic: 't',
        started_at: startAt + 1_000,
        ended_at: startAt + 5_000,
      },
      {
        id: 'e2',
        channel_id: 'c2',
        kind: 'alarm',
        topic: 't',
        started_at: startAt - 9_000,
        ended_at: startAt + 1,
      },
      { id: 'e3', channel_id: 'c2', kind: 'alarm', topic: 't', started_at: startAt - 9_000, ended_at: null },
    ]);
    const about = { channel_id: 'c1', device_id: 'device-c1' };
    await app.db('faults').insert({
      ...about,
      id: 'f1',
      kind: 'channel-offline',
      reason: 'tcp.unreachable',
      evidence_json: '[]',
      opened_at: startAt - 60_000,
    });
    const ticket = { ...about, kind: 'device', title: '镜头被遮挡', state: 'new', updated_at: startAt };
    await app
      .db('tickets')
      .insert({ ...ticket, id: 't1', number: '20261124-0001', created_at: startAt + 2_000 });
    const made = await post('/api/footage/bookmarks', {
      channelId: 'c1',
      fromAt: iso(9_000),
      toAt: null,
      note: ' 红色提包 ',
    });
    expect(made.statusCode).toBe(201);
    const found = await events();
    expect(found.map((event) => event.kind)).toEqual(['bookmark', 'ticket', 'motion', 'alarm', 'fault']);
    expect(found[0]).toMatchObject({ text: '红色提包', isOwn: true });
    expect(found[4]).toMatchObject({ text: 'tcp.unreachable', toAt: null });
  });
  it('a bookmark is seen by all, and taken away only by who made it or an administrator', async () => {
    const [mark] = await events('engineer');
    expect(mark).toMatchObject({ kind: 'bookmark', isOwn: false });
    const remove = (role: 'security' | 'engineer') =>
      app.as(role, { method: 'DELETE', url: `/api/footage/bookmarks/${mark?.id}` });
    expect((await remove('engineer')).statusCode).toBe(403);
    expect((await remove('security')).statusCode).toBe(200);
    expect((await remove('security')).statusCode).toBe(404);
    expect((await events()).some((event) => event.kind === 'bookmark')).toBe(false);
  });
});

describe('camera groups', () => {
  it('keep their order, are changed and removed, and each has a name of its own', async () => {
    const made = await post('/api/camera-groups', { name: '电梯厅', channelIds: ['c2', 'c1'] });
    expect(made.statusCode).toBe(201);
    const { id } = made.json<{ id: string }>();
    expect((await post('/api/camera-groups', { name: '电梯厅', channelIds: ['c1'] })).statusCode).toBe(409);
    expect((await post('/api/camera-groups', { name: '别的', channelIds: ['c9'] })).statusCode).toBe(404);
    const list = async () =>
      (await app.as('engineer', { method: 'GET', url: '/api/camera-groups' })).json().groups;
    expect(await list()).toEqual([{ id, name: '电梯厅', channelIds: ['c2', 'c1'] }]);
    const url = `/api/camera-groups/${id}`;
    const changed = { name: '电梯', channelIds: ['c1', 'c2'] };
    expect((await app.as('security', { method: 'PUT', url, payload: changed })).json()).toEqual({
      id,
      ...changed,
    });
    expect(await list()).toEqual([{ id, ...changed }]);
    expect((await app.as('security', { method: 'DELETE', url })).statusCode).toBe(200);
    expect((await app.as('security', { method: 'DELETE', url })).statusCode).toBe(404);
    expect(await list()).toEqual([]);
  });
});
