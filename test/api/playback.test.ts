import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelStream } from '#api/footage/types.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import {
  addChannel,
  decodeFrames,
  fixtureFps,
  makeChannelSource,
  writeRecording,
} from '../factories/footage.ts';

const startAt = Date.parse('2026-11-24T01:00:00.000Z');
const iso = (offsetMs: number) => new Date(startAt + offsetMs).toISOString();

let app: TestApp;
let origin: string;
let sessionHash: string;
let now: number;

const streams = new Map<string, ChannelStream | null>([['c1', null]]);
const makeApp = () =>
  makeTestApp({
    channels: makeChannelSource(streams),
    now: () => now,
    authenticate: async (request) => {
      const role = request.headers['x-test-role'];
      if (role !== 'security' && role !== 'desk') return undefined;
      const names = { userId: `user-${role}`, username: role, displayName: role };
      return { ...names, role, sessionHash, csrfToken: 'test', mustChangePassword: false };
    },
  });

async function record(spec: {
  offsetMs: number;
  seconds: number;
  codec?: 'h264' | 'h265';
  hasAudio?: boolean;
}): Promise<ClosedSegment[]> {
  const { offsetMs, ...rest } = spec;
  const recordingsDir = join(app.dataDir, 'recordings');
  return writeRecording({ recordingsDir, channelId: 'c1', startAt: startAt + offsetMs, ...rest });
}
async function begin(): Promise<void> {
  await app.start();
  origin = await app.http.listen({ host: '127.0.0.1', port: 0 });
}
const open = (fromMs: number, toMs: number, canDecodeH265 = true) =>
  app.as('security', {
    method: 'POST',
    url: '/api/footage/playback',
    payload: { channelId: 'c1', fromAt: iso(fromMs), toAt: iso(toMs), canDecodeH265 },
  });
const get = (url: string, headers: Record<string, string> = {}) =>
  app.as('security', { method: 'GET', url, headers });
const decode = (url: string) => decodeFrames(`${origin}${url}`, ['-headers', 'x-test-role: security\r\n']);

beforeEach(async () => {
  now = startAt + 3_600_000;
  sessionHash = 'session-1';
  app = await makeApp();
  await addChannel(app.db, { id: 'c1' });
});
afterEach(() => app.destroy());

describe('playback', () => {
  it('plays across files and a gap: every recorded picture of the range decodes, with wall times', async () => {
    await record({ offsetMs: 0, seconds: 30 });
    await record({ offsetMs: 60_000, seconds: 10 });
    await begin();
    const opened = (await open(8_000, 65_000)).json();
    expect(opened.isTranscoded).toBe(false);
    expect(opened.spans).toEqual([
      { fromAt: iso(8_000), toAt: iso(30_000), source: 'own' },
      { fromAt: iso(60_000), toAt: iso(65_000), source: 'own' },
    ]);
    const playlist = await get(opened.playlistUrl);
    expect(playlist.headers['content-type']).toBe('application/vnd.apple.mpegurl');
    expect(playlist.headers['cache-control']).toContain('no-store');
    expect(playlist.body.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(1);
    expect(playlist.body).toContain('#EXT-X-ENDLIST');
    expect(playlist.body).toContain(`#EXT-X-PROGRAM-DATE-TIME:${iso(60_000)}`);
    const frames = await decode(opened.playlistUrl);
    // 22 s and 5 s were asked for; whole pieces of up to 4 s are played at each of the four ends.
    expect(frames.count).toBeGreaterThanOrEqual(27 * fixtureFps);
    expect(frames.count).toBeLessThanOrEqual((27 + 4 * 4) * fixtureFps);
  });

  it('serves files by range, and only those the playlist names', async () => {
    const [file] = await record({ offsetMs: 0, seconds: 10 });
    await record({ offsetMs: 60_000, seconds: 10 });
    await begin();
    const { playlistUrl } = (await open(0, 9_000)).json();
    const body = (await get(playlistUrl)).body;
    const name = /URI="([^"]+)"/.exec(body)?.[1] ?? '';
    const url = playlistUrl.replace('index.m3u8', name);
    const part = await get(url, { range: 'bytes=0-99' });
    expect(part.statusCode).toBe(206);
    expect(part.headers['content-range']).toBe(`bytes 0-99/${file?.sizeBytes}`);
    expect(part.rawPayload).toHaveLength(100);
    expect(part.headers['content-type']).toBe('video/mp4');
    expect((await get(url, { range: 'bytes=999999999-' })).statusCode).toBe(416);
    const other = (await open(60_000, 69_000)).json().playlistUrl;
    const otherName = /URI="([^"]+)"/.exec((await get(other)).body)?.[1] ?? '';
    expect((await get(playlistUrl.replace('index.m3u8', otherName))).statusCode).toBe(404);
    expect((await get(playlistUrl.replace('index.m3u8', '..%2f..%2fweian.db'))).statusCode).not.toBe(200);
  });

  it('belongs to the log-in that opened it, ends after half an hour of silence, and leaves one row on the trail', async () => {
    await record({ offsetMs: 0, seconds: 10 });
    await begin();
    const { playlistUrl } = (await open(0, 9_000)).json();
    for (let i = 0; i < 3; i += 1) expect((await get(playlistUrl)).statusCode).toBe(200);
    sessionHash = 'session-2';
    expect((await get(playlistUrl)).statusCode).toBe(404);
    sessionHash = 'session-1';
    expect((await app.as('desk', { method: 'GET', url: playlistUrl })).statusCode).toBe(403);
    now += 31 * 60_000;
    expect((await get(playlistUrl)).statusCode).toBe(404);
    const rows = await app.db('audit_entries').where({ action: 'footage.viewed' });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ subject_id: 'c1', actor_id: 'user-security' });
    expect(JSON.parse(rows[0].detail_json)).toEqual({ fromAt: iso(0), toAt: iso(9_000), sources: ['own'] });
  });

  it('says so when there is nothing, or too much is asked', async () => {
    await begin();
    expect((await open(0, 9_000)).json().code).toBe('footage.none');
    expect((await open(0, 25 * 3_600_000)).json().code).toBe('footage.range-invalid');
  });

  it('goes on without a file that was deleted meanwhile', async () => {
    const files = await record({ offsetMs: 0, seconds: 30 });
    await begin();
    const { playlistUrl } = (await open(0, 30_000)).json();
    await rm(files[1]?.file ?? '');
    const playlist = await get(playlistUrl);
    expect(playlist.statusCode).toBe(200);
    expect(playlist.body.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(1);
    expect((await decode(playlistUrl)).count).toBe(20 * fixtureFps);
  });

  it('transcodes H.265 for a browser that cannot decode it, says so, and leaves it alone otherwise', async () => {
    await record({ offsetMs: 0, seconds: 8, codec: 'h265' });
    await begin();
    const plain = (await open(0, 8_000)).json();
    expect(plain.isTranscoded).toBe(false);
    expect(await decode(plain.playlistUrl)).toMatchObject({ codec: 'hevc', count: 8 * fixtureFps });
    const opened = (await open(0, 8_000, false)).json();
    expect(opened.isTranscoded).toBe(true);
    expect(await decode(opened.playlistUrl)).toMatchObject({ codec: 'h264', count: 8 * fixtureFps });
    const body = (await get(opened.playlistUrl)).body;
    const name = body.split('\n').find((line) => line.endsWith('media.m4s')) ?? '';
    const forged = playlistUrlOf(opened, name.replace(/\/\d+\//, '/12345/'));
    expect((await get(forged)).statusCode).toBe(404);
  });
});

const playlistUrlOf = (opened: { playlistUrl: string }, name: string) =>
  opened.playlistUrl.replace('index.m3u8', name);
