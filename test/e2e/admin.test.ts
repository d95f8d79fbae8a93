import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Settings } from '#api/settings/schema.ts';
import { stopAtFirstFailure } from './steps.ts';
import { enterLogin, startProduct, subnet, type ProductWorld } from './world.ts';

const viewer = {
  username: 'zhangwei',
  displayName: '张伟',
  firstPassword: 'first-hand-over-9',
  password: 'own-secret-4-me',
};
let product: ProductWorld;
let page: Page;
let viewerPage: Page;

stopAtFirstFailure();
beforeAll(async () => {
  product = await startProduct({ devices: ['cam-01'], isFurnished: false });
});
afterAll(() => product?.close());

const goTo = (name: string) =>
  page.getByRole('navigation', { name: '导航' }).getByRole('link', { name, exact: true }).click();
const trailRow = (action: string, who: string) =>
  page
    .getByRole('table', { name: '审计' })
    .getByRole('row')
    .filter({ hasText: action })
    .filter({ hasText: who });

/** What the server answers to a request that a page makes with its person's own cookie and token. */
const ask = (from: Page, method: string, path: string, body?: object) =>
  from.evaluate(
    async ([verb, url, json]) => {
      const { csrfToken } = (await (await fetch('/api/session')).json()) as { csrfToken?: string };
      const answer = await fetch(url, {
        method: verb,
        headers: {
          'x-csrf-token': csrfToken ?? '',
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(json === undefined ? {} : { body: json }),
      });
      return answer.status;
    },
    [method, path, body === undefined ? undefined : JSON.stringify(body)] as const,
  );

describe('an administrator on the first day', () => {
  it('names the hospital on the first-run page, once, and keeps the camera networks of the installation', async () => {
    page = await product.openAs('admin');
    await page.getByRole('heading', { name: '首次设置' }).waitFor();
    await page.getByRole('textbox', { name: '医院名称' }).fill('和安医院');
    await product.shoot(page, 'first-run');
    await page.getByRole('button', { name: '完成设置' }).click();
    await page.getByRole('banner').getByText('和安医院').waitFor();
    await page.reload();
    await page.getByRole('banner').getByText('和安医院').waitFor();
    expect(await page.getByRole('heading', { name: '首次设置' }).count()).toBe(0);
    const settings = await product.admin.send<Settings>('GET', '/api/settings');
    expect(settings).toMatchObject({
      setup: { isDone: true },
      site: { hospitalName: '和安医院' },
      network: { cameraNetworks: [`${subnet}.0/24`] },
    });
  });

  it('adds a viewer, who has to change the first password', async () => {
    await goTo('用户');
    await page.getByRole('button', { name: '添加用户' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: '用户名' }).fill(viewer.username);
    await dialog.getByRole('textbox', { name: '姓名' }).fill(viewer.displayName);
    await dialog.getByRole('textbox', { name: '初始密码' }).fill(viewer.firstPassword);
    await dialog.getByRole('button', { name: '添加' }).click();
    await page.getByRole('row').filter({ hasText: viewer.displayName }).getByText('待改密码').waitFor();
    await product.shoot(page, 'users');

    const context = await product.browser.newContext({ ignoreHTTPSErrors: true, locale: 'zh-CN' });
    viewerPage = await context.newPage();
    await viewerPage.goto(`${product.origin}/map`);
    await enterLogin(viewerPage, { username: viewer.username, password: viewer.firstPassword });
    await viewerPage.getByText(`${viewer.displayName}，您好`).waitFor();
    expect(await ask(viewerPage, 'GET', '/api/devices')).toBe(403);
    await viewerPage.getByRole('textbox', { name: '当前密码' }).fill(viewer.firstPassword);
    await viewerPage.getByRole('textbox', { name: '新密码', exact: true }).fill(viewer.password);
    await viewerPage.getByRole('textbox', { name: '再次输入新密码' }).fill(viewer.password);
    await viewerPage.getByRole('button', { name: '修改密码' }).click();
    await viewerPage.getByRole('navigation', { name: '导航' }).waitFor();
    expect(new URL(viewerPage.url()).pathname, 'the page first asked for').toBe('/map');
  });
});

describe('somebody who may only look', () => {
  it('is neither offered nor given what belongs to the administrator', async () => {
    const links = await viewerPage
      .getByRole('navigation', { name: '导航' })
      .getByRole('link')
      .allTextContents();
    expect(links.map((link) => link.trim())).toEqual(expect.arrayContaining(['地图', '实时画面']));
    for (const name of ['用户', '审计', '设置', '查找设备', '录像查询'])
      expect(links.join(' ')).not.toContain(name);
    await viewerPage.goto(`${product.origin}/users`);
    await viewerPage.getByRole('heading', { name: '没有权限' }).first().waitFor();
    expect(await ask(viewerPage, 'GET', '/api/users')).toBe(403);
    const rise = { username: 'second', displayName: 'x', role: 'admin', password: 'another-secret-1' };
    expect(await ask(viewerPage, 'POST', '/api/users', rise)).toBe(403);
    expect(await ask(viewerPage, 'PATCH', '/api/settings', { setup: { isDone: false } })).toBe(403);
    expect(await ask(viewerPage, 'POST', '/api/discovery/runs', { method: 'ws-discovery' })).toBe(403);
  });

  it('takes a stolen cookie out of use by logging out', async () => {
    const thief = await product.browser.newContext({
      ignoreHTTPSErrors: true,
      storageState: await viewerPage.context().storageState(),
    });
    const thiefPage = await thief.newPage();
    await thiefPage.goto(product.origin);
    await thiefPage.getByRole('navigation', { name: '导航' }).waitFor();
    expect(await ask(thiefPage, 'GET', '/api/devices')).toBe(200);

    await viewerPage.getByRole('button', { name: '用户菜单' }).click();
    await viewerPage.getByRole('menuitem', { name: '退出登录' }).click();
    await viewerPage.locator('input[autocomplete="username"]').waitFor();
    expect(await ask(thiefPage, 'GET', '/api/devices')).toBe(401);
    // The open page is shut too, without a click: its socket was closed with the session.
    await thiefPage.locator('input[autocomplete="username"]').waitFor({ timeout: 15_000 });
    await thief.close();
    await viewerPage.context().close();
  });

  it('shows on the audit trail, which proves whole', async () => {
    await goTo('审计');
    await trailRow('越权操作被拒绝', viewer.displayName).first().waitFor();
    // Without a password of their own, then the list, the new user, the settings and the search.
    expect(await trailRow('越权操作被拒绝', viewer.displayName).count()).toBeGreaterThanOrEqual(5);
    const { displayName } = product.login('admin');
    for (const [action, who] of [
      ['完成首次设置', 'admin'],
      ['添加用户', 'admin'],
      ['修改密码', viewer.displayName],
      ['登录', viewer.displayName],
      ['退出登录', viewer.displayName],
    ] as const)
      expect(
        await trailRow(action, who === 'admin' ? displayName : who).count(),
        `${who}: ${action}`,
      ).toBeGreaterThanOrEqual(1);
    await page.getByRole('button', { name: '校验完整性' }).click();
    await page.getByText(/^完整：已核对 \d+ 条，没有发现改动。/).waitFor();
    await product.shoot(page, 'audit');
  });
});
