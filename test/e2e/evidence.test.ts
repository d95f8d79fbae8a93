import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Channel } from '#api/devices/schema.ts';
import type { ChannelTimeline } from '#api/footage/schema.ts';
import type { Settings } from '#api/settings/schema.ts';
import { stopAtFirstFailure } from './steps.ts';
import { startProduct, until, type ProductWorld } from './world.ts';

const run = promisify(execFile);
let product: ProductWorld;
let page: Page;
let camera: Channel;
let packageFile: string;

stopAtFirstFailure();
beforeAll(async () => {
  product = await startProduct({ devices: ['cam-01'] });
  [camera] = (await product.registerAll()) as [Channel];
  const { evidence } = await product.admin.send<Settings>('GET', '/api/settings');
  await product.admin.send('PATCH', '/api/settings', { evidence: { ...evidence, isTwoPersonRuleOn: true } });
  page = await product.openAs('security');
  packageFile = join(product.dataDir, 'package.zip');
});
afterAll(() => product.close());

it('a case is opened with who wants the footage, on what ground and who allowed it', async () => {
  await page.goto(`${product.origin}/cases`);
  await page.getByRole('button', { name: '新建案件' }).click();
  for (const [label, text] of [
    ['事由', '电梯厅物品失窃'],
    ['调取单位', '某某派出所'],
    ['调取人', '李警官'],
    ['法律依据', '调取证据通知书〔2026〕12号'],
    ['批准人', '王院长'],
    ['用途', '查找携带红色背包的男子'],
  ] as const)
    await page.getByLabel(label).fill(text);
  await page.getByRole('button', { name: '创建' }).click();
  await page.getByRole('heading', { name: '电梯厅物品失窃' }).waitFor();
});

it('footage is added with a bystander hidden, and packed; nobody lets his own package go', async () => {
  const caseId = page.url().split('/').at(-1) ?? '';
  const recorded = await until(async () => {
    const { channels } = await product.admin.send<{ channels: ChannelTimeline[] }>(
      'POST',
      '/api/footage/timeline',
      {
        channelIds: [camera.id],
        fromAt: new Date(Date.now() - 120_000).toISOString(),
        toAt: new Date().toISOString(),
      },
    );
    const span = channels[0]?.spans.at(-1);
    const isLong = span && Date.parse(span.toAt) - Date.parse(span.fromAt) > 10_000;
    return isLong ? Date.parse(span.toAt) : undefined;
  }, 60_000);
  const drawnOn = new Date(recorded - 6_000).toISOString();
  const preview = `/api/exports/preview?channelId=${camera.id}&at=${drawnOn}`;
  expect(await page.evaluate(async (path) => (await fetch(path)).status, preview)).toBe(200);
  await product.admin.send('POST', `/api/cases/${caseId}/clips`, {
    channelId: camera.id,
    fromAt: drawnOn,
    toAt: new Date(recorded - 3_000).toISOString(),
    mode: 'transcode',
    hidden: [{ x: 0.3, y: 0.3, width: 0.2, height: 0.2 }],
  });
  await page.locator('[data-clip-state=ready]').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: '生成证据包' }).click();
  await page.locator('[data-package-state=ready]').waitFor({ timeout: 60_000 });
  await page.getByText('待另一人批准').waitFor();
  expect(await page.getByRole('button', { name: '批准', exact: true }).isDisabled()).toBe(true);
  expect(await page.getByRole('link', { name: /下载/ }).count()).toBe(0);
});

it('a second person approves, and then it can be downloaded', async () => {
  const second = await product.openAs('admin');
  await second.goto(page.url());
  await second.getByRole('button', { name: '批准', exact: true }).click();
  await second.getByRole('button', { name: '批准', exact: true }).last().click();
  await second.getByText(/于 .* 批准/).waitFor();
  await second.close();
  const link = page.getByRole('link', { name: /下载/ });
  await link.waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  await download.saveAs(packageFile);
  await run('unzip', ['-t', packageFile]);
  await product.shoot(page, 'evidence-case');
});

it('the package plays by double-click without a network', async () => {
  const dir = join(product.dataDir, 'unpacked');
  await run('unzip', ['-q', packageFile, '-d', dir], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  const context = await product.browser.newContext({ offline: true });
  const player = await context.newPage();
  await player.goto(pathToFileURL(join(dir, 'index.html')).href);
  await player.waitForFunction(() => (document.querySelector('video')?.readyState ?? 0) >= 2);
  expect(await player.locator('#clock').textContent()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  await product.shoot(player, 'evidence-player');
  await context.close();
});

it('the console says of the package that it is intact, and of a changed one which file is not', async () => {
  await page.goto(`${product.origin}/verify`);
  const input = page.locator('input[type=file]');
  const uploads: string[] = [];
  page.on('request', (request) => {
    if (request.method() !== 'GET') uploads.push(request.url());
  });
  await input.setInputFiles(packageFile);
  await page.locator('[data-verdict=intact]').waitFor();
  const bytes = await readFile(packageFile);
  const place = bytes.lastIndexOf('mdat') + 5_000;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  const changed = join(product.dataDir, 'changed.zip');
  await writeFile(changed, bytes);
  await input.setInputFiles(changed);
  await page.locator('[data-verdict=altered]').waitFor();
  expect(await page.locator('.path').allTextContents()).toEqual([expect.stringMatching(/^clips\/.*\.mp4$/)]);
  expect(uploads).toEqual([]);
  await product.shoot(page, 'evidence-verify');
});
