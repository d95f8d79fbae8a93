import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Case } from '#api/cases/schema.ts';
import { startProduct, type ProductWorld } from './world.ts';

/** As in web/pages.ts, and the two addresses outside the navigation. */
const paths = [
  '/',
  '/map',
  '/live',
  '/archive',
  '/exports',
  '/cases',
  '/verify',
  '/storage',
  '/devices',
  '/discovery',
  '/tickets',
  '/users',
  '/audit',
  '/settings',
  '/system',
  '/account',
  '/no-such-page',
] as const;
const screens = [
  { name: 'desk', width: 1440, height: 900 },
  { name: 'phone', width: 390, height: 844 },
] as const;
/** What people type is not translated. */
const texts = {
  'zh-CN': {
    title: '电梯厅失窃，红色提包',
    requester: '王警官',
    organisation: '都江堰市公安局',
    legalBasis: '《治安管理处罚法》第八十九条',
    reason: '调取昨日 15 时至 16 时录像',
  },
  en: {
    title: 'Theft in the lift lobby, red bag',
    requester: 'Officer Wang',
    organisation: 'Dujiangyan police',
    legalBasis: 'Public security act, article 89',
    reason: 'Footage of yesterday, 15 to 16 h',
  },
} as const;
const han = /\p{Script=Han}/u;

let product: ProductWorld;

beforeAll(async () => {
  product = await startProduct({ devices: ['cam-01', 'cam-02'] });
  await product.registerAll();
  await product.admin.send('POST', '/api/tickets', { kind: 'his', title: '挂号窗口打印机卡纸' });
});
afterAll(() => product?.close());

/** The page has told everything it has to tell: nothing is loading any more. */
async function isSettled(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
}

describe.each(['zh-CN', 'en'] as const)('the console in %s', (locale) => {
  it.each(screens)('shows every page whole on a $name', async (screen) => {
    await product.admin.send('PATCH', '/api/me', { locale });
    const { id: caseId } = await product.admin.send<Case>('POST', '/api/cases', {
      ...texts[locale],
      authoriser: 'Zhang San',
    });
    const page = await product.openAs('admin', { locale, viewport: screen });
    const problems: string[] = [];
    let path = '';
    page.on('pageerror', (error) => problems.push(`${path}: ${error.message}`));
    page.on('console', (line) => {
      // Chromium reports the picture that is not there yet as an error of its own; answers are checked by the API tests.
      if (line.type() === 'error' && !line.text().startsWith('Failed to load resource'))
        problems.push(`${path}: ${line.text()}`);
    });
    for (path of [...paths, `/cases/${caseId}`]) {
      await page.goto(`${product.origin}${path}`);
      await isSettled(page);
      const width = await page.evaluate(() => document.scrollingElement?.scrollWidth ?? Number.NaN);
      if (width > screen.width) problems.push(`${path}: ${width} px wide on ${screen.width} px`);
      if ((await page.title()) === '') problems.push(`${path}: no title`);
      if (locale === 'en') {
        const own = page.locator('nav a, h1, h2, th, label');
        for (const text of await own.allTextContents())
          if (han.test(text)) problems.push(`${path}: "${text.trim()}"`);
      } else if (!han.test((await page.locator('h1').first().textContent()) ?? ''))
        problems.push(`${path}: no Chinese heading`);
      await product.shoot(
        page,
        `${locale}-${screen.name}${path.replaceAll('/', '-').replace(caseId, 'one')}`,
      );
    }
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
