import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Role } from '#api/auth/permissions.ts';
import type { DemoLogin } from '../../scripts/demo/logins.ts';
import { startProductProcess, type Product, type ProductOptions } from '../factories/product.ts';

export { until } from '../factories/product.ts';

export const subnet = '127.0.31';

/** The product with a browser before it. */
export interface ProductWorld extends Product {
  readonly browser: Browser;
  /** A browser page of a person of `role`, logged in through the log-in page. */
  openAs(
    role: Role,
    options?: { locale?: 'zh-CN' | 'en'; viewport?: { width: number; height: number } },
  ): Promise<Page>;
  /** Keeps a picture of the page, for people to look at, where WEIAN_SHOTS names a folder. */
  shoot(page: Page, name: string): Promise<void>;
}

/** Starts the product and Chromium. */
export async function startProduct(options: Omit<ProductOptions, 'subnet'> = {}): Promise<ProductWorld> {
  const product = await startProductProcess({ ...options, subnet });
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
  const contexts: BrowserContext[] = [];
  return Object.assign(product, {
    browser,
    async openAs(
      role: Role,
      {
        locale = 'zh-CN',
        viewport = { width: 1440, height: 900 },
      }: Parameters<ProductWorld['openAs']>[1] = {},
    ) {
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        viewport,
        locale,
        acceptDownloads: true,
      });
      contexts.push(context);
      const page = await context.newPage();
      await page.goto(product.origin);
      await enterLogin(page, product.login(role));
      return page;
    },
    async shoot(page: Page, name: string) {
      const folder = process.env.WEIAN_SHOTS;
      if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
    },
    close: closeWith(product.close, async () => {
      for (const context of contexts) await context.close();
      await browser.close();
    }),
  });
}

/** Ends the browser before what it looks at. */
function closeWith(
  closeProduct: () => Promise<void>,
  closeBrowser: () => Promise<void>,
): () => Promise<void> {
  return async () => {
    await closeBrowser();
    await closeProduct();
  };
}

/** Fills in the log-in page and waits until it has gone. */
export async function enterLogin(
  page: Page,
  { username, password }: Pick<DemoLogin, 'username' | 'password'>,
): Promise<void> {
  await page.locator('input[autocomplete="username"]').fill(username);
  await page.locator('input[autocomplete="current-password"]').fill(password);
  await page.locator('button[type="submit"]').click();
  await page.locator('input[autocomplete="username"]').waitFor({ state: 'detached' });
}
