import type { Page } from 'playwright-core';
import { numberBits } from '../factories/archive.ts';

/** What a tile shows at one moment: the number drawn into its picture, and the time the page says it has. */
export interface TileNumber {
  readonly number: number | undefined;
  /** ISO 8601; empty while the page says nothing. */
  readonly saidAt: string;
  /** How long after the first tile it was read, ms. */
  readonly readAfterMs: number;
}

/** Reads the numbers drawn across the top of all pictures, in the same turn of the page. */
export function tileNumbers(page: Page): Promise<TileNumber[]> {
  return page.locator('[data-tile]').evaluateAll((tiles, bits) => {
    const rows = 8;
    const startedAt = performance.now();
    return tiles.map((tile) => {
      const video = tile.querySelector('video');
      const saidAt = tile.querySelector('time')?.getAttribute('datetime') ?? '';
      if (!video || video.videoWidth === 0) return { number: undefined, saidAt, readAfterMs: 0 };
      const canvas = new OffscreenCanvas(video.videoWidth, rows);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('no canvas');
      const readAfterMs = performance.now() - startedAt;
      context.drawImage(video, 0, 4, video.videoWidth, rows, 0, 0, video.videoWidth, rows);
      const cell = video.videoWidth / bits;
      let number = 0;
      for (let bit = 0; bit < bits; bit += 1) {
        const { data } = context.getImageData(Math.floor(bit * cell + cell / 2), rows / 2, 1, 1);
        if ((data[1] ?? 0) > 128) number += 2 ** bit;
      }
      return { number, saidAt, readAfterMs };
    });
  }, numberBits);
}

/** The number in the picture of one camera. */
export async function numberOnScreen(page: Page, channelId: string): Promise<number | undefined> {
  const index = await page
    .locator('[data-tile]')
    .evaluateAll((tiles, id) => tiles.findIndex((tile) => tile.getAttribute('data-tile') === id), channelId);
  return (await tileNumbers(page))[index]?.number;
}
