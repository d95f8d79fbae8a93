import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '#api/db/migrate.ts';
import type { Held } from '#api/footage/device-archive.ts';
import { createDeviceArchiveStore, type DeviceArchiveStore } from '#api/footage/device-archive-store.ts';
import { createDeviceFetcher, type DeviceFetcher } from '#api/footage/device-fetch.ts';
import { createLogger } from '#api/log.ts';
import { wallMs } from '#media/time.ts';
import { addChannel } from '../factories/footage.ts';
import { describeOnBoth } from './both-databases.ts';

const minute = 60_000;
const start = Date.parse('2026-11-24T01:00:00Z');
const pieceBytes = 1_000;
const log = createLogger({ logLevel: 'silent' });

describeOnBoth(({ create, open }) => {
  let db: Knex;
  let store: DeviceArchiveStore;
  let dir: string;
  let now: number;
  let fetched: number[];
  let fetcher: DeviceFetcher;

  beforeEach(async () => {
    db = open(await create());
    await migrate(db);
    await addChannel(db, { id: 'c1' });
    store = createDeviceArchiveStore(db);
    dir = await mkdtemp(join(tmpdir(), 'weian-pieces-'));
    now = start + 24 * 60 * minute;
    fetched = [];
    fetcher = createDeviceFetcher({
      store,
      dir,
      limitBytes: 3 * pieceBytes,
      sessionsPerDevice: 2,
      now: () => now,
      log,
      archives: {
        find: () => ({
          deviceId: 'device-c1',
          channels: [],
          open: () => ({ archive: { getReplayUri: async () => 'rtsp://127.0.0.1/1' } }) as never,
          replayFrom: (url) => ({ url, transport: 'tcp' }),
        }),
      },
      async fetchReplay({ fromDeviceAt, untilDeviceAt, clockOffsetMs, dir: folder }) {
        fetched.push((fromDeviceAt - start) / minute);
        await mkdir(folder, { recursive: true });
        const file = join(folder, `${fromDeviceAt}.mp4`);
        await writeFile(file, Buffer.alloc(pieceBytes));
        const segment = {
          runId: `run${fromDeviceAt}`,
          file,
          startAt: wallMs(fromDeviceAt + clockOffsetMs),
          durationMs: untilDeviceAt - fromDeviceAt,
          mediaStartMs: 0 as never,
          sizeBytes: pieceBytes,
          fragmentCount: 1,
          videoCodec: 'h264' as const,
          width: 640,
          height: 360,
          hasAudio: false,
          codecs: 'avc1',
          setupHash: 'same',
        };
        return { segments: [segment], isWhole: true, pictureCount: 1 };
      },
    });
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const skewMs = 5_000;
  const held: Held = {
    state: 'current',
    askedAt: start,
    clockSkewMs: skewMs,
    problem: null,
    spans: [],
    recordings: [{ token: 'R1', spans: [{ fromAt: start, toAt: start + 30 * minute }] }],
  };
  /** Minutes of the device's clock. */
  const wanted = (from: number, to: number) => [
    { fromAt: start + from * minute + 20_000 - skewMs, toAt: start + to * minute - skewMs },
  ];
  const fetchMinutes = async (from: number, to: number) =>
    fetcher.fetch('c1', await fetcher.missing('c1', wanted(from, to), held), held, {});
  const files = async () => (await readdir(join(dir, 'c1'))).length;

  it('a device’s footage is fetched once, placed by our clock, and found again', async () => {
    await fetchMinutes(2, 4);
    await fetchMinutes(2, 5);
    expect(fetched).toEqual([2, 3, 4]);
    const found = await store.listSegments('c1', wanted(2, 4)[0] as { fromAt: number; toAt: number });
    expect(found.map(({ startAt, token }) => [(startAt + skewMs - start) / minute, token])).toEqual([
      [2, 'R1'],
      [3, 'R1'],
    ]);
    expect(found[0]).toMatchObject({ clockSkewMs: skewMs, videoCodec: 'h264', hasAudio: false });
    expect(Number((await db('segments').count('* as n').first())?.n)).toBe(0);
  });

  it('the least recently used goes first, and nothing that was used just now', async () => {
    await fetchMinutes(0, 4);
    expect(await store.totalBytes()).toBe(4 * pieceBytes);
    await fetchMinutes(5, 6);
    expect(await files()).toBe(5); // over the limit, but all of it in use
    now += 11 * minute;
    const [first] = await store.listSegments('c1', { fromAt: start, toAt: start + 30_000 });
    await fetcher.touch([first?.pieceId ?? '']);
    await fetchMinutes(8, 9);
    const left = await store.listPieces('c1', { fromAt: start, toAt: start + 10 * minute });
    expect(left.map(({ fromDeviceAt }) => (fromDeviceAt - start) / minute)).toContain(0);
    expect(await store.totalBytes()).toBe(4 * pieceBytes);
    expect(await files()).toBe(4);
  });

  it('is full when what is in use is twice the limit', async () => {
    await fetchMinutes(0, 7);
    await expect(fetchMinutes(10, 11)).rejects.toMatchObject({ code: 'storage.full' });
  });

  it('files and index agree again after a start', async () => {
    await fetchMinutes(0, 2);
    await writeFile(join(dir, 'c1', 'stray.mp4.part'), 'x');
    await rm(join(dir, 'c1', `${start}.mp4`));
    await fetcher.tidy();
    expect(await readdir(join(dir, 'c1'))).toEqual([`${start + minute}.mp4`]);
    expect(await store.listPieces('c1', { fromAt: start, toAt: start + 5 * minute })).toHaveLength(1);
    await fetcher.drop(['c1']);
    expect(await files()).toBe(0);
  });

  it('what a device told is kept by day', async () => {
    expect(await store.find('device-c1')).toBeUndefined();
    const archive = {
      askedAt: 5,
      answeredAt: null,
      hasArchive: null,
      clockSkewMs: null,
      problem: 'device.unreachable',
    };
    await store.put('device-c1', archive);
    expect(await store.find('device-c1')).toEqual(archive);
    const known = { askedAt: 9, answeredAt: 9, hasArchive: true, clockSkewMs: -7, problem: null };
    await store.put('device-c1', known);
    expect(await store.find('device-c1')).toEqual(known);
    const recording = { channelId: 'c1', token: 'R1', fromDeviceAt: start, untilDeviceAt: null };
    await store.putRecordings(['c1'], [recording]);
    await store.putRecordings(['c1'], [recording]);
    expect(await store.listRecordings('c1')).toEqual([recording]);
    const day = {
      token: 'R1',
      dayDeviceAt: start,
      askedAt: 9,
      isExact: true,
      spans: [{ fromAt: start, toAt: start + 5 }],
    };
    await store.putCoverage('c1', { ...day, spans: [] });
    await store.putCoverage('c1', day);
    expect(await store.listCoverage('c1', { fromAt: start, toAt: start })).toEqual([day]);
    await db('channels').delete();
    expect(await store.listRecordings('c1')).toEqual([]);
  });
});
