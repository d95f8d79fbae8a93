import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { MediaError } from '../errors.ts';

/** Where Debian puts it. */
const CHROMIUM = '/usr/bin/chromium';
const DEADLINE_MS = 60_000;

/**
 * Prints an HTML page as an A4 PDF with the system's Chromium. The page gets no network and no script: everything is in the HTML.
 * @throws MediaError `tool-missing` (no Chromium), `timeout`, `internal`
 */
export async function printPdf(html: string): Promise<Buffer> {
  if (!existsSync(CHROMIUM)) throw new MediaError('tool-missing', 'chromium is not installed');
  const browser = await chromium
    .launch({
      executablePath: CHROMIUM,
      timeout: DEADLINE_MS,
      // Chromium's own sandbox needs a kernel feature that servers often lack; the page is ours, without script and network.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-sync',
      ],
    })
    .catch((error: unknown) => {
      throw new MediaError('internal', 'chromium did not start', {}, { cause: error });
    });
  try {
    const context = await browser.newContext({ javaScriptEnabled: false, offline: true });
    const page = await context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    await page.setContent(html);
    return await page.pdf({ format: 'A4', printBackground: true, preferCSSPageSize: true });
  } catch (error) {
    throw new MediaError('internal', 'the page could not be printed', {}, { cause: error });
  } finally {
    await browser.close();
  }
}
