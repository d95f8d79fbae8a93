import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Channel } from '#api/devices/schema.ts';
import type { Ticket, TicketSummary } from '#api/tickets/schema.ts';
import { stopAtFirstFailure } from './steps.ts';
import { startProduct, until, type ProductWorld } from './world.ts';

const devices = ['cam-01', 'cam-02', 'cam-04'];
let product: ProductWorld;
let page: Page;
let camera: Channel;

stopAtFirstFailure();
beforeAll(async () => {
  product = await startProduct({ devices });
  page = await product.openAs('engineer');
});
afterAll(() => product?.close());

/** Goes to a page by the side navigation, as a person does. */
const goTo = (name: string) =>
  page.getByRole('navigation', { name: '导航' }).getByRole('link', { name, exact: true }).click();
const tile = () => page.locator(`figure[data-channel="${camera.id}"]`);
const marker = () => page.locator(`.plan-marker[data-channel="${camera.id}"]`);
const decodedFrames = () =>
  tile()
    .locator('video')
    .evaluate((video: HTMLVideoElement) => video.getVideoPlaybackQuality().totalVideoFrames);

/** The picture on screen, RGBA of 160 x 90 points. */
const pictureCells = () =>
  tile()
    .locator('video')
    .evaluate((video: HTMLVideoElement) => {
      const canvas = new OffscreenCanvas(160, 90);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      context.drawImage(video, 0, 0, 160, 90);
      return [...context.getImageData(0, 0, 160, 90).data];
    });

async function expectMoving() {
  await page
    .locator(`figure[data-channel="${camera.id}"][data-state="playing"]`)
    .waitFor({ timeout: 20_000 });
  const before = { frames: await decodedFrames(), picture: await pictureCells() };
  await until(async () => ((await decodedFrames()) >= before.frames + 10 ? true : undefined), 10_000);
  const picture = await pictureCells();
  const changed = picture.filter((value, at) => Math.abs(value - (before.picture[at] ?? 0)) > 24).length;
  expect(changed, 'bytes of the picture that changed').toBeGreaterThan(20);
}

describe('an engineer on the first day', () => {
  it('finds every camera, logs in to them and takes them in', async () => {
    await goTo('查找设备');
    await page.getByRole('button', { name: '开始查找' }).click();
    const found = page.getByRole('table', { name: '找到的设备' });
    for (const { address } of product.hospital.devices)
      await found.getByRole('row').filter({ hasText: address }).waitFor({ timeout: 15_000 });
    expect(await found.locator('tbody tr').count()).toBe(devices.length);

    await page.getByRole('textbox', { name: '密码' }).fill(product.hospital.credentials.password);
    await page.getByRole('button', { name: `登录 ${devices.length} 台设备` }).click();
    await expect.poll(() => found.getByText('可加入').count(), { timeout: 30_000 }).toBe(devices.length);
    await product.shoot(page, 'discovery');
    await page.getByRole('button', { name: `加入 ${devices.length} 台` }).click();
    await page.getByText(`${devices.length} 台设备已在系统中`).waitFor();

    const channels = await product.listChannels();
    expect(channels).toHaveLength(devices.length);
    const wanted = product.hospital.device('cam-01').spec.name;
    const first = channels.find((channel) => channel.name === wanted);
    expect(first, `a camera called ${wanted}`).toBeDefined();
    camera = first as Channel;
  });

  it('puts a camera on the plan', async () => {
    await goTo('地图');
    const hint = page.getByText(`请在平面图上点击“${camera.name}”的位置`);
    await until(async () => {
      // The devices are still being taken in: the list may change under the pointer.
      if (await hint.isVisible()) return true;
      await page.getByRole('button', { name: camera.name }).click();
      await page.waitForTimeout(500);
      return undefined;
    }, 20_000);
    const plan = page.getByRole('application');
    const drawn = await plan.locator('img.plan-image').boundingBox();
    const frame = await plan.boundingBox();
    if (!drawn || !frame) throw new Error('the plan is not on the page');
    await plan.click({ position: { x: 420, y: 300 } });
    await marker().waitFor();
    const channels = await product.listChannels();
    const placed = channels.find((channel) => channel.id === camera.id);
    const plan1 = product.hospital.world.floors.find((floor) => floor.id === 'mz1');
    const pxPerPx = (plan1?.widthPx ?? Number.NaN) / drawn.width;
    expect(placed?.planX).toBeCloseTo((frame.x + 420 - drawn.x) * pxPerPx, -1);
    expect(placed?.planY).toBeCloseTo((frame.y + 300 - drawn.y) * pxPerPx, -1);
    await page.getByRole('button', { name: '完成布置' }).click();
    await expect.poll(() => marker().getAttribute('aria-label'), { timeout: 15_000 }).toContain('在线');
    await product.shoot(page, 'map');
  });

  it('sees the picture move', async () => {
    await goTo('实时画面');
    await page
      .getByRole('navigation', { name: '摄像机列表' })
      .getByRole('button', { name: camera.name })
      .click();
    await expectMoving();
    await product.shoot(page, 'live');
  });
});

describe('a camera that loses its network', () => {
  let ticket: TicketSummary;

  it('is offline on the wall and on the map, with the reason, and has a ticket', async () => {
    await product.hospital.setFault('cam-01', { kind: 'drop' });
    await tile().getByText(`${camera.name} 无画面`).waitFor({ timeout: 30_000 });
    await tile().getByText('网络不通或设备未开机').waitFor({ timeout: 30_000 });
    await product.shoot(page, 'live-offline');

    await goTo('地图');
    await expect.poll(() => marker().getAttribute('aria-label'), { timeout: 20_000 }).toContain('离线');

    await goTo('工单');
    const row = page.getByRole('table', { name: '工单' }).getByRole('row').filter({ hasText: camera.name });
    await row.getByText('新建').waitFor({ timeout: 10_000 });
    await product.shoot(page, 'tickets');
    const { tickets } = await product.admin.send<{ tickets: TicketSummary[] }>(
      'GET',
      `/api/tickets?channelId=${camera.id}`,
    );
    expect(tickets).toHaveLength(1);
    ticket = tickets[0] as TicketSummary;
  });

  it('is back everywhere by itself, and the ticket says so', async () => {
    await product.hospital.clearFaults('cam-01');
    await goTo('地图');
    await expect.poll(() => marker().getAttribute('aria-label'), { timeout: 30_000 }).toContain('在线');
    await goTo('实时画面');
    await expectMoving();
    await goTo('工单');
    await page
      .getByRole('table', { name: '工单' })
      .getByRole('row')
      .filter({ hasText: ticket.number })
      .click();
    await page.getByText(`${camera.name} 已恢复，中断`).waitFor();
    await product.shoot(page, 'ticket');
    const { notes } = await product.admin.send<Ticket>('GET', `/api/tickets/${ticket.id}`);
    expect(notes.map((note) => note.kind)).toEqual(['fault-opened', 'fault-recovered']);
  });
});
