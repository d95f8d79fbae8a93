import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../factories/app.ts';
import { adminPassword, makeLogInApp } from '../factories/browser.ts';
import { insertDevice } from '../factories/database.ts';
import { writeRecording } from '../factories/footage.ts';
import { stopAtFirstFailure } from './steps.ts';
import { enterLogin } from './world.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'weian-storage-'));
const folder = mkdtempSync(join(tmpdir(), 'weian-backup-'));
const recordingsDir = join(dataDir, 'recordings');
const names = ['急诊大厅', '药库', '2号楼电梯厅', '收费处'];
let app: TestApp;
let browser: Browser;
let page: Page;
let phone: Page;

stopAtFirstFailure();
beforeAll(async () => {
  const first = await makeLogInApp({}, { DATA_DIR: dataDir });
  for (const [index, name] of names.entries()) {
    const [channelId = ''] = await insertDevice(first.db, `cam${index}`, [name]);
    await first.db('channels').where({ id: channelId }).update({ is_recorded: 0 });
    for (const hoursAgo of [30, 3])
      await writeRecording({
        recordingsDir,
        channelId,
        startAt: Math.floor(Date.now() / 1000) * 1000 - hoursAgo * 3_600_000 - index * 60_000,
        seconds: 30,
      });
  }
  await first.db('settings').insert({ key: 'setup', value_json: '{"isDone":true}', updated_at: 0 });
  const storage = { minFreeBytes: 100_000_000, maxBytes: 50_000_000_000, warnDaysLeft: 2 };
  await first.db('settings').insert({ key: 'storage', value_json: JSON.stringify(storage), updated_at: 0 });
  await first.close();
  app = await makeLogInApp({}, { DATA_DIR: dataDir });
  await app.start();
  const origin = await app.http.listen({ port: 0, host: '127.0.0.1' });
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const open = async (viewport: { width: number; height: number }) => {
    const context = await browser.newContext({ viewport, locale: 'zh-CN' });
    const opened = await context.newPage();
    await opened.goto(origin);
    await enterLogin(opened, { username: 'admin', password: adminPassword });
    await opened.goto(`${origin}/storage`);
    return opened;
  };
  page = await open({ width: 1440, height: 900 });
  phone = await open({ width: 390, height: 844 });
});
afterAll(async () => {
  await browser?.close();
  await app?.destroy();
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

async function shoot(name: string, from: Page = page): Promise<void> {
  const shots = process.env.WEIAN_SHOTS;
  if (shots) await from.screenshot({ path: join(shots, `${name}.png`) });
}
const menu = async (row: string, item: string) => {
  await page.getByRole('row', { name: row }).first().getByRole('button').click();
  await page.getByRole('menuitem', { name: item }).click();
};
const lose = async (channelId: string) => {
  for (const name of await readdir(join(recordingsDir, channelId), { recursive: true }))
    if (name.endsWith('.mp4')) await rm(join(recordingsDir, channelId, name));
  await app.db('segments').where({ channel_id: channelId }).delete();
};

describe('the storage page', () => {
  it('shows the classes of the law, takes another with its cameras, and what each keeps', async () => {
    await page.getByRole('row', { name: '一般区域' }).waitFor();
    await page.getByRole('button', { name: '新建类别' }).click();
    await page.getByLabel('名称').fill('药品库房');
    await page.getByLabel('最长').fill('10');
    await page.getByText('最长不能小于最短').waitFor();
    await page.getByLabel('最长').fill('180');
    await shoot('storage-class');
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await menu('药品库房', '选择摄像机');
    await page.getByLabel('药库').check();
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await page.getByRole('row', { name: /药品库房.*30–180/ }).waitFor();
    expect(await app.db('channel_retention').select('channel_id')).toEqual([{ channel_id: 'cam1-0' }]);
    await shoot('storage-classes');
    await phone.getByText('一般区域(默认)').waitFor();
    await shoot('storage-classes-phone', phone);
  });

  it('tells day by day what is missing', async () => {
    await page.getByRole('tab', { name: '完整性' }).click();
    await page
      .getByRole('row', { name: /急诊大厅.*系统停机/ })
      .first()
      .waitFor();
    await shoot('storage-continuity');
    const link = await page.getByRole('link', { name: '下载 CSV' }).getAttribute('href');
    const csv = await page.request.get(new URL(link ?? '', page.url()).href);
    expect(await csv.text()).toContain('摄像机,日期,已录（分钟）');
    await phone.getByRole('tab', { name: '完整性' }).click();
    await phone.getByText('急诊大厅').first().waitFor();
    await shoot('storage-continuity-phone', phone);
  });

  it('backs up to a folder by a plan, and brings lost footage back', async () => {
    await page.getByRole('tab', { name: '备份' }).click();
    await page.getByRole('button', { name: '新建备份位置' }).click();
    await page.getByLabel('名称').fill('三楼备份盘');
    await page.getByLabel('目录路径').fill(join(folder, 'none'));
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await page.getByText('备份位置不可用').waitFor();
    await page.getByLabel('目录路径').fill(folder);
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await page.getByRole('button', { name: '新建计划' }).click();
    await page.getByLabel('名称').fill('每晚备份');
    await page.getByLabel('备份最近').fill('48');
    await shoot('storage-plan');
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await menu('每晚备份', '立即备份');
    await page.locator('[data-run-state="done"]').first().waitFor({ timeout: 60_000 });
    const [run] = await app.db('backup_runs');
    expect(run).toMatchObject({ kind: 'copy', state: 'done', files_failed: 0 });
    expect(run.files_done).toBe(names.length * 2 * 3);

    await lose('cam0-0');
    await page.getByRole('button', { name: '恢复录像' }).click();
    await page.getByRole('dialog').getByLabel('摄像机').click();
    await page.getByRole('option', { name: '急诊大厅' }).click();
    await page.getByText(/此时段有 3 个副本文件，其中 3 个本机已没有/).waitFor();
    await page.getByLabel('原因').fill('公安调取');
    await shoot('storage-restore');
    await page.getByRole('dialog').getByRole('button', { name: '恢复', exact: true }).click();
    await page.getByText('恢复 · 三楼备份盘').waitFor();
    await expect
      .poll(() => app.db('segments').where({ channel_id: 'cam0-0' }), { timeout: 30_000 })
      .toHaveLength(3);
    await page.waitForTimeout(600);
    await shoot('storage-backups');
    await phone.getByRole('tab', { name: '备份' }).click();
    await phone.getByText('三楼备份盘').first().waitFor();
    await shoot('storage-backups-phone', phone);
  });

  it('shows the hold that the restore made, with its end', async () => {
    await page.getByRole('tab', { name: '保留' }).click();
    const row = page.getByRole('row', { name: /急诊大厅.*公安调取/ });
    await row.waitFor();
    await row.getByText('保留中').waitFor();
    await shoot('storage-holds');
    await menu('急诊大厅', '解除保留');
    await page.getByRole('alertdialog').getByRole('button', { name: '解除保留' }).click();
    await row.getByText('已解除').waitFor();
  });
});
