import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Channel } from '#api/devices/schema.ts';
import type { ChannelTimeline } from '#api/footage/schema.ts';
import { decodeStamp, readFrameStamps } from '../simulators/frame-stamp.ts';
import { readRecordedFrames, recordedUntil } from './recorded-frames.ts';
import { stopAtFirstFailure } from './steps.ts';
import { startProduct, until, type ProductWorld } from './world.ts';

/** Its stream has B-frames, so that its pictures are not stored in the order they were taken. */
const wantedId = 'cam-04';
const gopMs = 1_000;
const frameMs = 100;
let product: ProductWorld;
let page: Page;
let camera: Channel;
/** What the page said at the two ends of the marked range, epoch ms. */
let marked: { fromAt: number; toAt: number };
let clipFile: string;

stopAtFirstFailure();
beforeAll(async () => {
  product = await startProduct({ devices: ['cam-01', wantedId] });
  const channels = await product.registerAll();
  camera = channels.find(
    (channel) => channel.name === product.hospital.device(wantedId).spec.name,
  ) as Channel;
  const startedAt = Date.now() - 1_000;
  await until(async () => {
    const ask = {
      channelIds: [camera.id],
      fromAt: new Date(startedAt).toISOString(),
      toAt: new Date().toISOString(),
    };
    const { channels: lanes } = await product.admin.send<{ channels: ChannelTimeline[] }>(
      'POST',
      '/api/footage/timeline',
      ask,
    );
    const [span] = lanes[0]?.spans ?? [];
    return span && Date.parse(span.toAt) - Date.parse(span.fromAt) >= 22_000 ? true : undefined;
  }, 60_000);
  page = await product.openAs('security');
});
afterAll(() => product?.close());

const lane = () => page.locator(`[data-lane="${camera.id}"]`);
const recordingsDir = () => join(product.dataDir, 'recordings');

/** `2026-11-24 16:05:06` of the site (UTC+8 all year), epoch ms. */
const siteInstant = (text: string) => Date.parse(`${text.replace(' ', 'T')}+08:00`);

async function boxOf(element: Locator) {
  const box = await element.boundingBox();
  if (!box) throw new Error('not on the page');
  return box;
}
/** A share of the lane's recorded span, in px of the page, and the time the page names there. */
async function pointAt(share: number): Promise<{ x: number; y: number; at: number }> {
  const span = await boxOf(lane().locator('.span').first());
  const point = { x: span.x + span.width * share, y: span.y + span.height / 2 };
  await page.mouse.move(point.x, point.y);
  const at = siteInstant((await page.locator('.hover-time').textContent()) ?? '');
  expect(at).not.toBeNaN();
  return { ...point, at };
}
/** Reads the stamp drawn into the picture that is on screen now. */
async function stampOnScreen() {
  const cells = await page.locator('.picture video').evaluate((video: HTMLVideoElement) => {
    const { videoWidth: width, videoHeight: height } = video;
    const rows = Math.floor(height / 60);
    const canvas = new OffscreenCanvas(width, rows);
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    context.drawImage(video, 0, Math.floor(height - height / 40), width, rows, 0, 0, width, rows);
    const { data } = context.getImageData(0, 0, width, rows);
    const sums = Array.from({ length: 40 }, () => 0);
    for (let at = 0; at < width * rows; at += 1) {
      const cell = Math.floor(((at % width) * 40) / width);
      sums[cell] = (sums[cell] ?? 0) + (data[at * 4 + 1] ?? 0);
    }
    return sums.map((sum) => sum / ((width / 40) * rows));
  });
  return decodeStamp(Uint8Array.from(cells));
}

describe('a security officer looks for what happened', () => {
  it('sees on the time line what was recorded', async () => {
    await page.getByRole('navigation', { name: '导航' }).getByRole('link', { name: '录像查询' }).click();
    await page
      .getByRole('navigation', { name: '摄像机列表' })
      .getByRole('button', { name: camera.name })
      .click();
    await page.getByRole('button', { name: '10 分钟' }).click();
    await lane().locator('.span').first().waitFor();
    for (let turn = 0; turn < 9; turn += 1) {
      const { x, width, y, height } = await boxOf(lane().locator('.span').first());
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.wheel(0, -100);
    }
    await expect.poll(async () => (await boxOf(lane().locator('.span').first())).width).toBeGreaterThan(200);
  });

  it('clicks a moment, and the picture on screen is of that moment and says so', async () => {
    const clicked = await pointAt(0.3);
    await page.mouse.click(clicked.x, clicked.y);
    await page.locator('.picture[data-state="playing"]').waitFor({ timeout: 15_000 });
    const pause = page.getByRole('button', { name: '播放 / 暂停' });
    await pause.click();
    await page.locator('.picture[data-state="paused"]').waitFor();
    const shownAt = siteInstant((await page.getByTestId('picture-time').textContent()) ?? '');
    expect(shownAt - clicked.at).toBeGreaterThanOrEqual(-1_000);
    expect(shownAt - clicked.at).toBeLessThanOrEqual(5_000);
    await product.shoot(page, 'archive');

    const stamp = await stampOnScreen();
    expect(stamp?.cameraId).toBe(4);
    // The file it came from may still be open.
    await until(
      async () => (recordedUntil(recordingsDir(), camera.id) > shownAt + 2_000 ? true : undefined),
      20_000,
    );
    const frames = await readRecordedFrames(recordingsDir(), camera.id);
    const source = frames.find((frame) => frame.frame === stamp?.frame);
    expect(Math.abs((source?.at ?? Number.NaN) - shownAt)).toBeLessThanOrEqual(1_000 + 2 * frameMs);
  });

  it('drags over a range and exports it for a reason', async () => {
    const from = await pointAt(0.25);
    const to = await pointAt(0.7);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move((from.x + to.x) / 2, from.y, { steps: 4 });
    await page.mouse.move(to.x, to.y, { steps: 4 });
    await page.mouse.up();
    await product.shoot(page, 'archive-range');
    await page.getByRole('button', { name: '导出', exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: '用途' }).fill('公安调取，演练 001 号');
    await product.shoot(page, 'export-dialog');
    await dialog.getByRole('button', { name: '导出', exact: true }).click();
    // The form takes whole seconds, the end rounded up.
    marked = { fromAt: from.at, toAt: to.at + 1_000 };

    const row = page
      .getByRole('table', { name: '录像导出' })
      .getByRole('row')
      .filter({ hasText: camera.name });
    await row.getByText('已完成').waitFor({ timeout: 30_000 });
    const coming = page.waitForEvent('download');
    await row.getByRole('link').click();
    const download = await coming;
    expect(download.suggestedFilename()).toMatch(/^门诊一层-电梯厅_\d{8}-\d{6}_\d{8}-\d{6}_\w+\.mp4$/);
    clipFile = join(product.dataDir, 'downloaded.mp4');
    await download.saveAs(clipFile);
    const details = page.getByRole('dialog');
    expect(await details.count(), 'details opened by the download').toBe(0);
    await row.getByText(camera.name).click();
    const shownHash = await details.locator('code').textContent();
    await product.shoot(page, 'export');
    expect(createHash('sha256').update(readFileSync(clipFile)).digest('hex')).toBe(shownHash);
    await details.getByText('公安调取，演练 001 号').waitFor();
    await details.getByText('可完整解码').waitFor();
  });

  it('holds in its hands exactly the pictures recorded in that range, none missing and none twice', async () => {
    const stamps = await readFrameStamps(clipFile);
    const numbers = stamps.map((stamp) => stamp?.frame ?? Number.NaN);
    expect(stamps.every((stamp) => stamp?.cameraId === 4)).toBe(true);
    const first = numbers[0] ?? Number.NaN;
    // A camera on an overloaded machine skips pictures, so that numbers may jump where the recording's own do.
    expect(numbers, 'rising, none twice').toEqual([...new Set(numbers)].toSorted((a, b) => a - b));

    await until(
      async () => (recordedUntil(recordingsDir(), camera.id) > marked.toAt + 2 * gopMs ? true : undefined),
      25_000,
    );
    const source = await readRecordedFrames(recordingsDir(), camera.id);
    const from = source.findIndex((frame) => frame.frame === first);
    const cut = source.slice(from, from + numbers.length);
    expect(cut.map((frame) => frame.frame)).toEqual(numbers);
    // A group of pictures is kept whole at both ends: it starts at most one group early and stops at most one late.
    const firstAt = cut[0]?.at ?? Number.NaN;
    const lastAt = cut.at(-1)?.at ?? Number.NaN;
    expect(firstAt).toBeLessThanOrEqual(marked.fromAt + frameMs);
    expect(firstAt).toBeGreaterThanOrEqual(marked.fromAt - gopMs - frameMs);
    expect(lastAt).toBeGreaterThanOrEqual(marked.toAt - 2 * frameMs);
    expect(lastAt).toBeLessThanOrEqual(marked.toAt + gopMs + frameMs);
  });

  it('leaves a trail of what was watched, asked for and taken away', async () => {
    const { entries } = await product.admin.send<{ entries: { action: string; actorName: string }[] }>(
      'GET',
      '/api/audit?limit=100',
    );
    const { displayName } = product.login('security');
    const did = entries.filter((entry) => entry.actorName === displayName).map((entry) => entry.action);
    for (const action of ['footage.viewed', 'export.requested', 'export.downloaded'])
      expect(did, action).toContain(action);
  });
});
