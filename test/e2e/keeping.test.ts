import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Channel, Device } from '#api/devices/schema.ts';
import type { ChannelTimeline, Hold } from '#api/footage/schema.ts';
import { stopAtFirstFailure } from './steps.ts';
import { startProduct, until, type ProductWorld } from './world.ts';

const mebibyte = 1_048_576;
const devices = ['cam-01', 'cam-02', 'cam-04'];
const disk = mkdtempSync(join(tmpdir(), 'weian-disk-'));
let product: ProductWorld;
let page: Page;
let channels: readonly Channel[];
let startedAt: number;

stopAtFirstFailure();
beforeAll(async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${192 * mebibyte}`, 'tmpfs', disk]);
  product = await startProduct({
    devices,
    env: { RECORDINGS_DIR: join(disk, 'recordings'), SEGMENT_SECONDS: '4' },
  });
  const storage = { warnDaysLeft: 2, minFreeBytes: 100_000_000, maxBytes: null };
  await product.admin.send('PATCH', '/api/settings', { storage });
  channels = await product.registerAll();
  startedAt = Date.now();
  page = await product.openAs('security');
});
afterAll(async () => {
  await product?.close();
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

const iso = (at: number) => new Date(at).toISOString();
const timelines = async () => {
  const ask = {
    channelIds: channels.map((channel) => channel.id),
    fromAt: iso(startedAt),
    toAt: iso(Date.now()),
  };
  return (await product.admin.send<{ channels: ChannelTimeline[] }>('POST', '/api/footage/timeline', ask))
    .channels;
};
const countIn = async (state: Channel['recordingState']) =>
  (await product.listChannels()).filter((channel) => channel.recordingState === state).length;
/** Leaves so much free on the disk, by a file that is no recording. */
async function leaveFree(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk);
  await appendFile(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
}

describe('a disk that is too small', () => {
  it('is told of on every page before anything is lost', async () => {
    await page.getByText('录像存储空间即将用尽').waitFor({ timeout: 60_000 });
    for (const { gaps } of await timelines())
      expect(gaps.filter(({ cause }) => cause === 'deleted-before-minimum')).toEqual([]);
    expect(await countIn('recording')).toBe(devices.length);
    await product.shoot(page, 'storage-warning');
  });

  it('loses the oldest footage that is not held, and records on', async () => {
    const [first] = channels as [Channel];
    const [own] = await timelines();
    const from = Date.parse(own?.spans[0]?.fromAt ?? '');
    const hold = { channelId: first.id, fromAt: iso(from), toAt: iso(from + 3_000), reason: '公安调取' };
    await product.admin.send<Hold>('POST', '/api/footage/holds', hold);
    await leaveFree(101_000_000);
    const after = await until(async () => {
      const found = await timelines();
      const isShorter = ({ gaps }: ChannelTimeline) =>
        gaps.some(({ cause }) => cause === 'deleted-before-minimum');
      return found.every(isShorter) ? found : undefined;
    }, 90_000);
    const kept = after.find(({ channelId }) => channelId === first.id);
    expect(kept?.spans[0]?.fromAt).toBe(iso(from));
    expect(await countIn('recording')).toBe(devices.length);
    for (const { spans } of after) {
      const newest = Date.parse(spans.at(-1)?.toAt ?? '');
      expect(Date.now() - newest, 'age of the newest footage in ms').toBeLessThan(15_000);
      // Between what is held and what is new lies one hole, made by the deletion: recording itself has none.
      expect(spans.length).toBeLessThanOrEqual(2);
    }
  });

  it('says so when nothing may go any more, and records again once there is room', async () => {
    const holds: Hold[] = [];
    for (const { id } of channels) {
      const hold = {
        channelId: id,
        fromAt: iso(startedAt - 60_000),
        toAt: iso(Date.now() + 600_000),
        reason: '公安调取',
      };
      holds.push(await product.admin.send<Hold>('POST', '/api/footage/holds', hold));
    }
    await page.getByText('录像存储空间已用尽，请立即处理').waitFor({ timeout: 60_000 });
    await leaveFree(2 * mebibyte); // what remains above the floor would last for minutes
    await until(async () => ((await countIn('disk-full')) > 0 ? true : undefined), 90_000);
    await product.shoot(page, 'storage-critical');
    await rm(join(disk, 'ballast'));
    for (const { id } of holds) await product.admin.send('DELETE', `/api/footage/holds/${id}`);
    await until(async () => ((await countIn('recording')) === devices.length ? true : undefined), 60_000);
  });
});

describe('a camera that got another address', () => {
  it('is found again as the same device, and is recorded from there', async () => {
    const list = async () => (await product.admin.send<{ devices: Device[] }>('GET', '/api/devices')).devices;
    const before = await list();
    const old = product.hospital.device('cam-02').address;
    const device = before.find(({ host }) => host === old);
    await product.hospital.setFault('cam-02', { kind: 'changeAddress', host: 177 });
    const address = product.hospital.device('cam-02').address;
    expect(address).not.toBe(old);
    const engineer = await product.openAs('engineer');
    await engineer
      .getByRole('navigation', { name: '导航' })
      .getByRole('link', { name: '查找设备', exact: true })
      .click();
    await engineer.getByRole('button', { name: '开始查找' }).click();
    const moved = await until(async () => (await list()).find(({ host }) => host === address), 40_000);
    expect(moved.id).toBe(device?.id);
    expect(await list()).toHaveLength(before.length);
    await until(async () => {
      const channel = (await product.listChannels()).find(({ deviceId }) => deviceId === moved.id);
      return channel?.recordingState === 'recording' && channel.health === 'online' ? true : undefined;
    }, 60_000);
  });
});
