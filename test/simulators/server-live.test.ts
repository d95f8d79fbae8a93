import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelSource } from '#api/footage/types.ts';
import type { LiveSession } from '#api/live/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { addChannel, decodeFrames, makeChannelSource, until } from '../factories/footage.ts';
import { startRtsp } from '../factories/rtsp.ts';

describe('live view', () => {
  let rtsp: Awaited<ReturnType<typeof startRtsp>>;
  let app: TestApp;
  let origin: string;

  beforeAll(async () => {
    rtsp = await startRtsp();
    const source = (mount: string) => ({ url: rtsp.url(mount), transport: 'tcp' as const });
    const recorded = makeChannelSource(
      new Map([['c1', { kind: 'main' as const, codec: 'H264', source: source('h264') }]]),
    );
    const channels: ChannelSource = {
      ...recorded,
      get: async (channelId) => ({ channelId, deviceId: `device-${channelId}`, name: channelId }),
      async getStream(channelId, kind) {
        if (channelId === 'dead')
          return { kind, codec: 'H264', source: { url: 'rtsp://127.0.0.1:1/x', transport: 'tcp' } };
        if (channelId === 'c265') return { kind, codec: 'H265', source: source('h265') };
        return { kind, codec: 'H264', source: source(kind === 'main' ? 'h264' : 'bframes') };
      },
    };
    app = await makeTestApp({ channels }, { SEGMENT_SECONDS: '10' });
    for (const id of ['c1', 'c265', 'dead']) await addChannel(app.db, { id });
    await app.start();
    origin = await app.http.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(async () => {
    await app?.destroy();
    await rtsp?.close();
  });

  const open = (channelId: string, stream: 'main' | 'sub', canDecodeH265 = true) =>
    app.as('viewer', {
      method: 'POST',
      url: `/api/channels/${channelId}/live`,
      payload: { stream, canDecodeH265 },
    });
  const status = async (channelId: string, stream: string) =>
    (
      await app.as('viewer', { method: 'GET', url: `/api/channels/${channelId}/live/${stream}/status` })
    ).json();
  /** Reads a live playlist for a few seconds, as a player does. */
  const watch = (session: LiveSession, seconds: number) =>
    decodeFrames(`${origin}${session.playlistUrl}`, [
      '-headers',
      'x-test-role: viewer\r\n',
      '-read_intervals',
      `%+${seconds}`,
    ]);

  it("shows the main stream from the recorder's own files, without a second session", async () => {
    const opened = await until(async () => {
      const answer = await open('c1', 'main');
      return answer.statusCode === 200 ? answer : undefined;
    }, 30_000);
    const session = opened.json() as LiveSession;
    expect(session).toMatchObject({ stream: 'main', sourceCodec: 'H264', isTranscoded: false });
    expect(session.playlistUrl).toContain('/original-r'); // r: the recorder
    const playlist = await app.as('viewer', { method: 'GET', url: session.playlistUrl });
    expect(playlist.headers).toMatchObject({
      'content-type': 'application/vnd.apple.mpegurl',
      'cache-control': 'no-store',
    });
    const frames = await watch(session, 3);
    expect(frames.count).toBeGreaterThanOrEqual(2 * 15);
    expect(await status('c1', 'main')).toMatchObject({ state: 'playing', reason: null, viewers: 1 });
  });

  it('pulls a sub stream once for all who watch it, and stops when nobody does', async () => {
    const session = (await open('c1', 'sub')).json() as LiveSession;
    const other = (await open('c1', 'sub')).json() as LiveSession;
    expect(other.playlistUrl).toBe(session.playlistUrl);
    expect((await watch(session, 2)).count).toBeGreaterThanOrEqual(15);
    await until(
      () => app.logLines.some((line) => line.includes('live stream stopped') && line.includes('c1 sub')),
      35_000,
      'the stop of the pull',
    );
  });

  it('transcodes H.265 for a browser that cannot decode it, and says so', async () => {
    const plain = (await open('c265', 'sub')).json() as LiveSession;
    expect(plain).toMatchObject({ sourceCodec: 'H265', isTranscoded: false });
    const session = (await open('c265', 'sub', false)).json() as LiveSession;
    expect(session).toMatchObject({ sourceCodec: 'H265', isTranscoded: true });
    expect((await watch(session, 2)).codec).toBe('h264');
  });

  it('says why a camera gives no picture, and keeps paths of another time out', async () => {
    const answer = await open('dead', 'sub');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ code: 'channel.no-picture', details: { reason: 'unreachable' } });
    expect(await status('dead', 'sub')).toMatchObject({ state: 'failed', reason: 'unreachable' });
    for (const path of ['original-p000000000000/index.m3u8', 'original-r99/0.m4s', 'x/..%2f..%2fweian.db'])
      expect((await app.as('viewer', { method: 'GET', url: `/api/live/c1/main/${path}` })).statusCode).toBe(
        404,
      );
    expect(
      (
        await app.as('desk', {
          method: 'POST',
          url: '/api/channels/c1/live',
          payload: { stream: 'main', canDecodeH265: true },
        })
      ).statusCode,
    ).toBe(403);
  });

  it('puts one row a camera on the trail, however often it is opened', async () => {
    const rows = await app.db('audit_entries').where({ action: 'live.opened' }).orderBy('seq');
    expect(rows.map((row) => row.subject_id)).toEqual(['c1', 'c265', 'dead']);
  });

  it('tells viewers when the camera is lost, and plays on when it is back', async () => {
    const session = (await open('c1', 'main')).json() as LiveSession;
    const look = () => app.as('viewer', { method: 'GET', url: session.playlistUrl });
    await rtsp.close();
    await until(async () => (await look()).statusCode === 503, 40_000, 'the loss');
    expect((await look()).json().code).toBe('channel.no-picture');
    expect((await status('c1', 'main')).state).toBe('failed');
    rtsp = await startRtsp(rtsp.port);
    await until(async () => (await look()).statusCode === 200, 60_000, 'the picture');
    expect((await look()).body).toContain('#EXT-X-DISCONTINUITY\n');
  });
});
