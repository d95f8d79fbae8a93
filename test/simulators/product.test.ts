import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '#api/db/database.ts';
import type { Channel, Device } from '#api/devices/schema.ts';
import type { Export } from '#api/footage/schema.ts';
import type { TicketSummary } from '#api/tickets/schema.ts';
import { startProductProcess, until, type Product } from '../factories/product.ts';
import { deviceSpecs } from './device-specs.ts';

/** Twelve, without one of the two that have a password of their own: three passwords would take more than the two tries a device gets. */
const cameras = deviceSpecs
  .filter((spec) => spec.kind === 'camera' && spec.id !== 'cam-08' && spec.id !== 'cam-13')
  .map((spec) => spec.id);
const usual = specOf('cam-01');
/** Its name and password are full of characters that XML, URLs and shells treat their own way. */
const odd = specOf('cam-14');
/** Each password in use, as typed and in the forms a careless program would leave. */
const secrets = [usual.password, odd.password].flatMap((password) => [
  password,
  encodeURIComponent(password),
  Buffer.from(password).toString('base64'),
]);

describe('the product with twelve cameras', () => {
  let product: Product;
  let channels: readonly Channel[] = [];
  const get = <T>(path: string) => product.admin.send<T>('GET', path);
  const recordings = () => join(product.dataDir, 'recordings');
  const filesIn = (folder: string, ending: string) =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending))
      : [];
  const channelsOf = async (id: string) => {
    const { devices } = await get<{ devices: Device[] }>('/api/devices');
    const address = product.hospital.device(id).address;
    return devices.find((device) => device.host === address)?.channels ?? [];
  };
  /** Waits until every channel of a device is in `state`. */
  const allIn = (id: string, state: Channel['health'], withinMs: number) =>
    until(async () => {
      const own = await channelsOf(id);
      return own.length > 0 && own.every((channel) => channel.health === state) ? own : undefined;
    }, withinMs);
  const countRecording = async () =>
    (await product.listChannels()).filter((channel) => channel.recordingState === 'recording').length;

  beforeAll(async () => {
    product = await startProductProcess({
      devices: cameras,
      probeIntervalMs: 12_000,
      subnet: '127.0.32',
      env: { LOG_LEVEL: 'debug' },
    });
    channels = await product.registerAll(
      [usual, odd].map(({ user, password }) => ({ username: user, password })),
    );
    await until(async () => ((await countRecording()) === channels.length ? true : undefined), 60_000);
  }, 150_000);
  afterAll(() => product?.close());

  it('takes all of them in and records every channel', () => {
    expect(channels).toHaveLength(12);
    for (const device of product.hospital.devices)
      expect([device.id, product.hospital.stats(device.id).loginFailures <= 2]).toEqual([device.id, true]);
  });

  it('loses at most the open file of each camera to kill -9, and the export it was at ends with a result or a reason', async () => {
    const [channel] = channels;
    if (!channel) throw new Error('no channel');
    // A first file of each must be finished, so that there is something that must not be lost.
    await until(
      async () => (filesIn(recordings(), '.mp4').length >= channels.length ? true : undefined),
      60_000,
    );
    const toAt = new Date(Date.now() - 2_000).toISOString();
    const fromAt = new Date(Date.now() - 12_000).toISOString();
    const wanted = { channelId: channel.id, fromAt, toAt, reason: '断电演练' };
    const { id } = await product.admin.send<Export>('POST', '/api/exports', wanted);
    const finishedBefore = filesIn(recordings(), '.mp4');
    await product.killServer();

    await until(async () => (ffmpegsOf(product.dataDir).length === 0 ? true : undefined), 10_000);
    const restartedAt = Date.now();
    await product.start();
    await until(async () => ((await countRecording()) === 12 ? true : undefined), 60_000);

    const db = openDatabase(`sqlite:${join(product.dataDir, 'weian.db')}`);
    const rows: { file: string }[] = await db('segments').select('file');
    await db.destroy();
    const indexed = new Set(rows.map((row) => row.file));
    expect(finishedBefore.filter((file) => !indexed.has(file))).toEqual([]);
    expect([...indexed].filter((file) => !existsSync(join(recordings(), file)))).toEqual([]);
    const oldParts = filesIn(recordings(), '.part').filter(
      (file) =>
        (statSync(join(recordings(), file), { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < restartedAt,
    );
    expect(oldParts).toEqual([]);

    const ended = await until(async () => {
      const entry = await get<Export>(`/api/exports/${id}`);
      return entry.state === 'ready' || entry.state === 'failed' ? entry : undefined;
    }, 60_000).catch(async (error: unknown) => {
      throw new Error(JSON.stringify(await get(`/api/exports/${id}`)), { cause: error });
    });
    expect(ended.state === 'ready' ? ended.sha256 : ended.error).toMatch(/./);
    expect(filesIn(join(product.dataDir, 'exports'), '.part')).toEqual([]);
  });

  it.each([
    ['cam-03', 'refusePassword', 'rtsp.unauthorized'],
    ['cam-05', 'noVideo', 'keyframe.'],
  ] as const)('says of %s with %s: %s', async (id, kind, reason) => {
    await product.hospital.setFault(id, { kind });
    const [channel] = await allIn(id, 'offline', 60_000);
    expect(channel?.healthReason).toContain(reason);
    const { tickets } = await get<{ tickets: TicketSummary[] }>(`/api/tickets?channelId=${channel?.id}`);
    expect(tickets).toHaveLength(1);
    await product.hospital.clearFaults(id);
  });

  it('leaves no camera password in database, logs or answers', async () => {
    const [channel] = channels;
    await product.admin.send('POST', `/api/channels/${channel?.id}/live`, {
      stream: 'sub',
      canDecodeH265: false,
    });
    await sleep(1_000);
    const read = (name: string) => {
      const file = join(product.dataDir, name);
      return existsSync(file) ? readFileSync(file, 'latin1') : '';
    };
    const kept = Object.fromEntries(
      ['weian.db', 'weian.db-wal', 'server.log'].map((name) => [name, read(name)]),
    );
    const routes = [
      'devices',
      'discovery/findings',
      'audit?limit=500',
      'settings',
      'exports',
      'tickets',
      'faults',
    ];
    for (const route of routes) kept[route] = JSON.stringify(await get(`/api/${route}`));
    kept.health = JSON.stringify(await get(`/api/channels/${channel?.id}/health`));
    for (const [where, text] of Object.entries(kept)) {
      expect([where, text.length > 0 || where.endsWith('-wal')]).toEqual([where, true]);
      const found = secrets.filter((secret) => text.includes(Buffer.from(secret, 'utf8').toString('latin1')));
      expect([where, found]).toEqual([where, []]);
    }
  });
});

/** Pids of ffmpeg processes that work on files below `dataDir`. */
function ffmpegsOf(dataDir: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return args.startsWith('ffmpeg') && args.includes(dataDir);
    } catch (error) {
      if (
        (error as NodeJS.ErrnoException).code === 'ENOENT' ||
        (error as NodeJS.ErrnoException).code === 'ESRCH'
      )
        return false; // it ended meanwhile
      throw error;
    }
  });
}

function specOf(id: string) {
  const found = deviceSpecs.find((spec) => spec.id === id);
  if (!found) throw new Error(`the simulated hospital has no ${id}`);
  return found;
}
