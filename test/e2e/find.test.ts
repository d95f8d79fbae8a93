import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveFps, startArchive, type Archive } from '../factories/archive.ts';
import { numberOnScreen, tileNumbers } from './picture-numbers.ts';
import { stopAtFirstFailure } from './steps.ts';
import { enterLogin } from './world.ts';

const shots = process.env.WEIAN_SHOTS;
const gap = { fromS: 24, toS: 30 };
let archive: Archive;
let browser: Browser;
let page: Page;

stopAtFirstFailure();
beforeAll(async () => {
  archive = await startArchive({ cameras: 9, seconds: 50, size: '320x180', gap });
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
  });
  page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' });
  await page.goto(archive.origin);
  await enterLogin(page, { username: 'admin', password: archive.password });
});
afterAll(async () => {
  await browser?.close();
  await archive?.close();
});

const shoot = async (name: string) => {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
};
const lane = (id: string) => page.locator(`[data-lane="${id}"]`);
const atOf = (seconds: number) => (archive.startedAt[0] ?? 0) + seconds * 1000;
const isState = (state: string) => page.locator(`.picture[data-state="${state}"]`);
/** Presses on a lane at an instant of the time line shown. */
async function pressAt(id: string, at: number): Promise<void> {
  const { x, y } = await pointAt(id, at);
  await page.mouse.click(x, y);
}
async function pointAt(id: string, at: number): Promise<{ x: number; y: number }> {
  const box = await lane(id).boundingBox();
  const spanBox = await lane(id).locator('.span').first().boundingBox();
  if (!box || !spanBox) throw new Error('not on the page');
  // The first recorded stretch of camera 1 begins with the archive and lasts until its gap.
  const pxPerMs = spanBox.width / (gap.fromS * 1000);
  return { x: spanBox.x + (at - atOf(0)) * pxPerMs, y: box.y + box.height / 2 };
}

describe('a guard at three in the morning', () => {
  it('gets from the place to all nine cameras of the lift lobby', async () => {
    await page.goto(`${archive.origin}/archive?span=120`);
    await page
      .getByRole('navigation', { name: '摄像机列表' })
      .getByTitle('显示此处全部摄像机')
      .last()
      .click();
    await expect.poll(() => page.locator('[data-tile]').count()).toBe(9);
  });

  it('to the time, by the day in the calendar and by the time line', async () => {
    const day = page.locator('.day.has').last();
    await day.waitFor();
    await page.goto(
      `${archive.origin}/archive?channels=${archive.channelIds.join(',')}&at=${new Date(atOf(8)).toISOString()}&span=120`,
    );
    await isState('paused').waitFor({ timeout: 20_000 });
    await pressAt('cam-1', atOf(15));
    await expect
      .poll(() =>
        page
          .locator('[data-tile="cam-1"] time')
          .getAttribute('datetime')
          .then((text) => Math.abs(Date.parse(text ?? '') - atOf(15))),
      )
      .toBeLessThan(1_500);
  });

  it('and sees the same moment on all nine, each picture telling its true time', async () => {
    // While nine pictures are sought one may be painted a moment before its time is told: once they stand, both must be right.
    const worst = async () => {
      const tiles = await tileNumbers(page);
      const moments = tiles.map(
        ({ number = Number.NaN }, index) => (archive.startedAt[index] ?? 0) + (number * 1000) / archiveFps,
      );
      const lies = tiles.map(({ saidAt }, index) => Math.abs(Date.parse(saidAt) - (moments[index] ?? 0)));
      return { spreadMs: Math.max(...moments) - Math.min(...moments), lieMs: Math.max(...lies) };
    };
    const isRight = async () => {
      const { spreadMs, lieMs } = await worst();
      return spreadMs <= 1000 / archiveFps + 5 && lieMs <= 5;
    };
    await expect.poll(isRight, { timeout: 15_000 }).toBe(true);
    await page.waitForTimeout(500);
    expect(await worst()).toMatchObject({ lieMs: expect.toSatisfy((ms: number) => ms <= 5) });
    await shoot('nine-up');
  });

  it('steps by single pictures in both directions', async () => {
    const before = await numberOnScreen(page, 'cam-1');
    await page.keyboard.press('.');
    await expect.poll(() => numberOnScreen(page, 'cam-1')).toBe((before ?? 0) + 1);
    await page.keyboard.press(',');
    await expect.poll(() => numberOnScreen(page, 'cam-1')).toBe(before);
    await page.keyboard.press(',');
    await expect.poll(() => numberOnScreen(page, 'cam-1')).toBe((before ?? 0) - 1);
  });

  it('saves the very picture on screen, and its hash is on the trail', async () => {
    const coming = page.waitForEvent('download');
    await page.keyboard.press('p');
    const file = await (await coming).path();
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    await page.getByText(sha256).waitFor();
    const { entries } = await archive.admin.send<{
      entries: { action: string; detail: { sha256?: string } }[];
    }>('GET', '/api/audit?action=footage.snapshot-taken');
    expect(entries[0]?.detail.sha256).toBe(sha256);
  });

  it('runs backwards', async () => {
    const before = (await numberOnScreen(page, 'cam-1')) ?? 0;
    await page.keyboard.press('j');
    await expect
      .poll(() => numberOnScreen(page, 'cam-1'), { timeout: 10_000 })
      .toBeLessThan(before - archiveFps);
    await page.keyboard.press('k');
  });

  it('marks beginning and end, and the film of the range shows what is missing', async () => {
    await pressAt('cam-1', atOf(12));
    await page.waitForTimeout(800);
    await page.keyboard.press('[');
    const [from, to] = [await pointAt('cam-1', atOf(12)), await pointAt('cam-1', atOf(40))];
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 5 });
    await page.mouse.up();
    const film = page.getByRole('region', { name: '所选时段的画面' });
    await expect.poll(() => film.locator('button').count()).toBeGreaterThanOrEqual(8);
    expect(await film.getByText('无录像').count()).toBeGreaterThanOrEqual(2);
    await film.locator('button').nth(2).click();
    await shoot('filmstrip');
  });

  it('leaves a bookmark for the day shift', async () => {
    await page.keyboard.press('b');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill('红色提包，男');
    await dialog.getByRole('button', { name: '添加书签' }).click();
    await page.getByRole('tab', { name: '事件' }).click();
    await page.getByRole('button', { name: /红色提包，男/ }).waitFor();
    await lane('cam-1').locator('[data-event="bookmark"]').waitFor();
  });

  it('does not lose the place: a reload brings back cameras, time, speed and marks', async () => {
    await page.waitForTimeout(300);
    const address = page.url();
    const shown = await numberOnScreen(page, 'cam-1');
    await page.reload();
    await expect.poll(() => page.locator('[data-tile]').count()).toBe(9);
    await isState('paused').waitFor({ timeout: 20_000 });
    const params = new URL(page.url()).searchParams;
    for (const name of ['channels', 'from', 'to', 'span'])
      expect(params.get(name)).toBe(new URL(address).searchParams.get(name));
    const isNear = async () => {
      const number = await numberOnScreen(page, 'cam-1');
      return number !== undefined && Math.abs(number - (shown ?? NaN)) < 10 * archiveFps;
    };
    await expect.poll(isNear, { timeout: 20_000 }).toBe(true);
    await page.getByRole('navigation', { name: '导航' }).getByRole('link', { name: '首页' }).click();
    await page.locator('.picture').waitFor({ state: 'detached' });
    await page.goBack();
    await expect.poll(() => page.locator('[data-tile]').count()).toBe(9);
    expect(new URL(page.url()).searchParams.get('from')).toBe(params.get('from'));
  });

  it('hands the marks to the export', async () => {
    await page.getByRole('button', { name: '导出', exact: true }).click();
    await page
      .getByRole('dialog')
      .getByText(/电梯厅 1 号/)
      .waitFor();
    await shoot('find-export');
  });
});
