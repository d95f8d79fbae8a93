import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelTimeline, Export, Playback } from '#api/footage/schema.ts';
import type { Channel, Device } from '#api/devices/schema.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { wizardOf } from '../factories/discovery.ts';
import { decodeFrames, fixtureFps, until, writeRecording } from '../factories/footage.ts';
import type { ArchiveRecording, ArchiveSpan } from './archive.ts';
import { readFrameStamps } from './frame-stamp.ts';
import { startHospital, type Hospital } from './hospital.ts';
import { ownSubnet } from './testing/hospital.ts';

/** One picture in so many ms, and a key picture each second, in the simulated recorder's archive. */
const frameMs = 200;
const groupMs = 1_000;
const ownAt = 14_000;

let hospital: Hospital;
let app: TestApp;
let origin: string;
/** The channels with recordings, and the recording of each. */
let channels: Channel[];
const recordings = new Map<string, ArchiveRecording>();

const recordingOf = (channel: Channel) => recordings.get(channel.id) as ArchiveRecording;
const iso = (at: number) => new Date(at).toISOString();

async function call<T>(method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object): Promise<T> {
  const answer = await app.as('admin', { method, url, ...(payload ? { payload } : {}) });
  if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${answer.body}`);
  return answer.json();
}
const timelineOf = async (channelId: string, fromAt: number, toAt: number): Promise<ChannelTimeline> => {
  const ask = { channelIds: [channelId], fromAt: iso(fromAt), toAt: iso(toAt) };
  const { channels: found } = await call<{ channels: ChannelTimeline[] }>(
    'POST',
    '/api/footage/timeline',
    ask,
  );
  return found[0] as ChannelTimeline;
};
const sourceOf = (timeline: ChannelTimeline, source: string) =>
  timeline.sources.find((each) => each.source === source);

async function exportRange(channelId: string, fromAt: number, toAt: number): Promise<Export> {
  const ask = { channelId, fromAt: iso(fromAt), toAt: iso(toAt), reason: '取证' };
  const { id } = await call<Export>('POST', '/api/exports', ask);
  return until(
    async () => {
      const entry = await call<Export>('GET', `/api/exports/${id}`);
      return entry.state === 'queued' || entry.state === 'running' ? undefined : entry;
    },
    30_000,
    'the export',
  );
}
const clipPath = (entry: Export) => join(app.dataDir, 'exports', entry.fileName ?? '');

beforeAll(async () => {
  const subnet = ownSubnet(31);
  hospital = await startHospital({ subnet, devices: ['nvr-01'], archive: { minutes: 1, channels: 4 } });
  app = await makeTestApp({}, { CAMERA_NETWORKS: `${subnet}.0/24` });
  const wizard = wizardOf(app);
  await wizard.search({ method: 'ws-discovery' });
  const finding = (await wizard.list()).find(({ host }) => host === hospital.device('nvr-01').address);
  const { user: username, password } = hospital.credentials;
  await wizard.learn([finding?.id ?? ''], [{ username, password }]);
  await call('POST', '/api/discovery/register', { items: [{ findingId: finding?.id }] });
  const { devices } = await call<{ devices: Device[] }>('GET', '/api/devices');
  // Recording eight cameras meanwhile would only cost the time of the test.
  for (const { id } of devices[0]?.channels ?? [])
    await call('PATCH', `/api/channels/${id}`, { isRecorded: false });
  const rows: { id: string; source_token: string }[] = await app.db('channels').select('id', 'source_token');
  for (const { id, source_token: token } of rows) {
    const recording = hospital.archive?.recordings.find(({ number }) => token === `VideoSource_${number}`);
    if (recording) recordings.set(id, recording);
  }
  channels = (devices[0]?.channels ?? []).filter(({ id }) => recordings.has(id));
  // The second channel was recorded here as well, but not all the time.
  const recordingsDir = join(app.dataDir, 'recordings');
  const [, second] = channels as [Channel, Channel];
  const startAt = recordingOf(second).spans[0]?.startAt ?? 0;
  await writeRecording({ recordingsDir, channelId: second.id, startAt: startAt + 2_000, seconds: 6 });
  await writeRecording({ recordingsDir, channelId: second.id, startAt: startAt + ownAt, seconds: 5 });
  await app.start();
  origin = await app.http.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await app.destroy();
  await hospital.close();
});

describe('a recorder’s own archive', () => {
  it('is on the timeline with its holes, from the first look on', async () => {
    const [channel] = channels as [Channel];
    const { spans } = recordingOf(channel);
    const [first, second] = spans as [{ startAt: number; endAt: number }, { startAt: number; endAt: number }];
    const range = [first.startAt - 60_000, second.endAt + 60_000] as const;
    const timeline = await until(async () => {
      const found = await timelineOf(channel.id, ...range);
      return sourceOf(found, 'device')?.state === 'current' ? found : undefined;
    });
    const expected = spans.map(({ startAt, endAt }) => ({ fromAt: iso(startAt), toAt: iso(endAt) }));
    expect(timeline.spans).toEqual(expected);
    expect(sourceOf(timeline, 'device')).toMatchObject({ spans: expected, clockSkewMs: 0, problem: null });
    expect(sourceOf(timeline, 'own')?.spans).toEqual([]);
    expect(timeline.gaps.map(({ fromAt, toAt }) => [Date.parse(fromAt), Date.parse(toAt)])).toEqual([
      [range[0], first.startAt],
      [first.endAt, second.startAt],
      [second.endAt, range[1]],
    ]);
    const { days } = await call<{ days: string[] }>(
      'GET',
      `/api/footage/days?channelId=${channel.id}&month=${new Date(first.startAt + 8 * 3_600_000).toISOString().slice(0, 7)}`,
    );
    expect(days.length).toBeGreaterThan(0);
  });

  it('exports ten random ranges with exactly the pictures asked for, and at most one group more at each end', async () => {
    const seed = 20261124;
    let state = seed;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 10; round += 1) {
      const channel = channels[round % 2 === 0 ? 0 : 2] as Channel;
      const { spans, number } = recordingOf(channel);
      const base = hospital.archive?.startAt ?? 0;
      const span = spans[round % 2] as { startAt: number; endAt: number };
      const lengthMs = 1_000 + Math.floor(random() * 9_000);
      const fromAt = span.startAt + Math.floor(random() * (span.endAt - span.startAt - lengthMs));
      const entry = await exportRange(channel.id, fromAt, fromAt + lengthMs);
      expect(entry, `seed ${seed}, round ${round}: ${entry.error}`).toMatchObject({ state: 'ready' });
      const stamps = await readFrameStamps(clipPath(entry), { input: ['-ignore_editlist', '1'] });
      expect(new Set(stamps.map((stamp) => stamp?.cameraId))).toEqual(new Set([number]));
      const frames = stamps.map((stamp) => base + (stamp?.frame ?? NaN) * frameMs);
      expect(frames).toEqual(frames.map((_frame, index) => (frames[0] ?? NaN) + index * frameMs));
      const [first = NaN, last = NaN] = [frames[0], frames.at(-1)];
      expect(first).toBeLessThanOrEqual(fromAt);
      expect(first).toBeGreaterThan(fromAt - groupMs);
      expect(last + frameMs).toBeGreaterThanOrEqual(fromAt + lengthMs);
      expect(last).toBeLessThan(fromAt + lengthMs + groupMs);
      expect(entry.result?.leadMs).toBe(fromAt - first);
      expect(entry.result?.gaps).toEqual([]);
      expect(entry.result?.sources).toEqual([
        { fromAt: iso(fromAt), toAt: iso(fromAt + lengthMs), source: 'device', clockSkewMs: 0 },
      ]);
    }
  });

  it('plays', async () => {
    const [, , channel] = channels as [Channel, Channel, Channel];
    const { spans } = recordingOf(channel);
    const [span] = spans as [{ startAt: number; endAt: number }];
    const ask = {
      channelId: channel.id,
      fromAt: iso(span.startAt),
      toAt: iso(span.endAt),
      canDecodeH265: true,
    };
    const opened = await call<Playback>('POST', '/api/footage/playback', ask);
    const frames = await decodeFrames(`${origin}${opened.playlistUrl}`, [
      '-headers',
      'x-test-role: admin\r\n',
    ]);
    expect(frames.count).toBe((span.endAt - span.startAt) / frameMs);
    const ready = await call<Playback>('GET', opened.playlistUrl.replace('/index.m3u8', ''));
    expect(ready).toMatchObject({ fetching: null, problem: null });
    expect(ready.spans).toEqual([{ fromAt: iso(span.startAt), toAt: iso(span.endAt), source: 'device' }]);
  });

  it('gives way to own footage and fills its holes, and every record says which is which', async () => {
    const [, channel] = channels as [Channel, Channel];
    const at = recordingOf(channel).spans[0]?.startAt ?? 0;
    const [fromAt, toAt] = [at + 3_000, at + 18_000];
    const parts = [
      { fromAt: iso(fromAt), toAt: iso(at + 8_000), source: 'own' },
      { fromAt: iso(at + 8_000), toAt: iso(at + ownAt), source: 'device' },
      { fromAt: iso(at + ownAt), toAt: iso(toAt), source: 'own' },
    ];
    const entry = await exportRange(channel.id, fromAt, toAt);
    expect(entry).toMatchObject({ state: 'ready', error: null });
    expect(entry.result?.sources?.map(({ clockSkewMs: _skew, ...part }) => part)).toEqual(parts);
    expect(entry.result?.gaps).toEqual([]);
    // Another size: the parts cannot share a file.
    expect(entry.result?.files).toHaveLength(3);
    expect(entry.result?.frameCount).toBe(6 * fixtureFps - fixtureFps + 6 * 5 + 4 * fixtureFps);
    const ask = { channelId: channel.id, fromAt: iso(fromAt), toAt: iso(toAt), canDecodeH265: true };
    const opened = await call<Playback>('POST', '/api/footage/playback', ask);
    expect(opened.spans).toEqual(parts);
    const timeline = await timelineOf(channel.id, fromAt, toAt);
    expect(timeline.gaps).toEqual([]);
    expect(sourceOf(timeline, 'own')?.spans).toHaveLength(2);
    expect(sourceOf(timeline, 'device')?.spans).toHaveLength(1);
  });

  it('has nothing to give where neither has footage: no file is made', async () => {
    const [channel] = channels as [Channel];
    const [first, second] = recordingOf(channel).spans as readonly { startAt: number; endAt: number }[] as [
      ArchiveSpan,
      ArchiveSpan,
    ];
    const ask = {
      channelId: channel.id,
      fromAt: iso(first.endAt + 1_500),
      toAt: iso(second.startAt - 1_500),
    };
    const answer = await app.as('admin', {
      method: 'POST',
      url: '/api/exports',
      payload: { ...ask, reason: '取证' },
    });
    expect(answer.json().code).toBe('footage.none');
  });

  it('leaves no session behind at the recorder', async () => {
    await until(() => hospital.stats('nvr-01').rtspClients === 0, 5_000, 'the end of all sessions');
  });
});

describe('a recorder whose clock is wrong', () => {
  it('is corrected by the measured skew, and what was fetched before is fetched anew', async () => {
    const skewMs = 600_000;
    const [channel] = channels as [Channel];
    const [span] = recordingOf(channel).spans as [{ startAt: number; endAt: number }];
    await hospital.setFault('nvr-01', { kind: 'clockSkew', skewMs });
    await app.db('device_archives').update({ answered_at: 0, asked_at: 0 }); // as if a minute had passed
    await app.db('device_coverage').update({ asked_at: 0 });
    const shownAt = span.startAt - skewMs;
    const timeline = await until(async () => {
      const found = await timelineOf(channel.id, shownAt - 5_000, shownAt + 10_000);
      return sourceOf(found, 'device')?.clockSkewMs === 0 ? undefined : found;
    });
    const skew = sourceOf(timeline, 'device')?.clockSkewMs ?? 0;
    expect(Math.abs(skew - skewMs)).toBeLessThan(1_500);
    const entry = await exportRange(channel.id, span.startAt + 5_000 - skew, span.startAt + 9_000 - skew);
    expect(entry).toMatchObject({ state: 'ready' });
    expect(entry.result?.sources?.[0]?.clockSkewMs).toBe(skew);
    const stamps = await readFrameStamps(clipPath(entry), { input: ['-ignore_editlist', '1'] });
    expect(stamps.map((stamp) => stamp?.frame)).toEqual(
      Array.from({ length: 20 }, (_each, index) => 25 + index),
    );
    await hospital.clearFaults('nvr-01', 'clockSkew');
  });
});

describe('a recorder that is gone', () => {
  it('never holds the page up: it is answered at once, from what is known, with the reason', async () => {
    const [channel] = channels as [Channel];
    const [span] = recordingOf(channel).spans as [{ startAt: number; endAt: number }];
    await hospital.setFault('nvr-01', { kind: 'slow', delayMs: 60_000 });
    await app.db('device_archives').update({ answered_at: 1, asked_at: 0, clock_skew_ms: 0 });
    await app.db('device_coverage').update({ asked_at: 0 });
    const startedAt = performance.now();
    const timeline = await timelineOf(channel.id, span.startAt, span.endAt);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(sourceOf(timeline, 'device')).toMatchObject({ state: 'stale' });
    expect(sourceOf(timeline, 'device')?.spans).toHaveLength(1);
    const failed = await until(async () => {
      const found = await timelineOf(channel.id, span.startAt, span.endAt);
      return sourceOf(found, 'device')?.problem === null ? undefined : found;
    }, 20_000);
    expect(sourceOf(failed, 'device')?.problem).toBe('device.unreachable');
  });

  it('says so to an export that needs it, and to a playback', async () => {
    const [, , , channel] = channels as [Channel, Channel, Channel, Channel];
    const [span] = recordingOf(channel).spans as [{ startAt: number; endAt: number }];
    const ask = {
      channelId: channel.id,
      fromAt: iso(span.startAt),
      toAt: iso(span.endAt),
      canDecodeH265: true,
    };
    const answer = await app.as('admin', { method: 'POST', url: '/api/footage/playback', payload: ask });
    expect(answer.json().code).toBe('device.unreachable');
    const entry = await exportRange(channel.id, span.startAt, span.endAt);
    expect(entry).toMatchObject({ state: 'failed', fileName: null });
    expect(readdirSync(join(app.dataDir, 'exports')).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
