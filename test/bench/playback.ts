// Watching nine cameras: time from a press on the time line to the decoded picture, and how far the nine drift apart while playing.
// Usage: node test/bench/playback.ts [rounds]
import { chromium } from 'playwright-core';
import { archiveFps, startArchive } from '../factories/archive.ts';
import { enterLogin } from '../e2e/world.ts';
import { tileNumbers } from '../e2e/picture-numbers.ts';
import { quantile, report } from './clip.ts';

const rounds = Number(process.argv[2] ?? 20);
const watchMs = 15_000;
const targets = { seekP95Ms: 1_000, driftMs: 100 };

const archive = await startArchive({ cameras: 9, seconds: 90 });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' });
  await page.goto(archive.origin);
  await enterLogin(page, { username: 'admin', password: archive.password });
  const [firstAt = 0] = archive.startedAt;
  const openAt = async (channels: readonly string[], seconds: number) => {
    const at = new Date(firstAt + seconds * 1000).toISOString();
    await page.goto(`${archive.origin}/archive?channels=${channels.join(',')}&at=${at}&span=150`);
    await page.locator('.picture[data-state="paused"] time').first().waitFor({ timeout: 30_000 });
  };

  // The middle of the archive, so that all of it is on the time line.
  await openAt(archive.channelIds.slice(0, 1), 45);
  const lane = page.locator('[data-lane] .span').first();
  const box = await lane.boundingBox();
  if (!box) throw new Error('no time line');
  const seeks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Far apart, so that nothing wanted is buffered already.
    const share = 0.05 + 0.9 * ((round * 0.381_966 + 0.2) % 1);
    const number = share * 90 * archiveFps;
    // In place before the press: a promise that is only asked for after it.
    const seen = await page.evaluateHandle(
      ([wanted, width]) => {
        const shown = new Promise<number>((resolve) => {
          const video = document.querySelector('video');
          let pressedAt = 0;
          addEventListener('pointerup', () => (pressedAt = performance.now()), { capture: true, once: true });
          const look = (_now: number, { mediaTime }: VideoFrameCallbackMetadata) => {
            const isThere = pressedAt > 0 && Math.abs(mediaTime - (wanted ?? 0)) < (width ?? 0);
            if (isThere) resolve(performance.now() - pressedAt);
            else video?.requestVideoFrameCallback(look);
          };
          video?.requestVideoFrameCallback(look);
        });
        return { shown };
      },
      [number / archiveFps, 1.5] as const,
    );
    await page.mouse.click(box.x + box.width * share, box.y + box.height / 2);
    seeks.push(await seen.evaluate(({ shown }) => shown));
  }

  await openAt(archive.channelIds, 20);
  await page.keyboard.press('l');
  await page.locator('.picture[data-state="playing"]').waitFor();
  await page.waitForTimeout(3_000);
  const spreads: number[] = [];
  const stale: number[] = [];
  const endAt = Date.now() + watchMs;
  while (Date.now() < endAt) {
    const tiles = await tileNumbers(page);
    // Nine pictures are read one after the other while they go on playing: what passed meanwhile is no drift.
    const moments = tiles.flatMap(({ number, readAfterMs }, index) =>
      number === undefined
        ? []
        : [(archive.startedAt[index] ?? 0) + (number * 1000) / archiveFps - readAfterMs],
    );
    if (moments.length < archive.channelIds.length) stale.push(moments.length);
    else spreads.push(Math.max(...moments) - Math.min(...moments));
    await page.waitForTimeout(150);
  }
  const seekP95 = quantile(seeks, 0.95);
  const drift = { p50: quantile(spreads, 0.5), p95: quantile(spreads, 0.95), most: Math.max(...spreads) };
  report(
    {
      bench: 'playback',
      rounds,
      seekP50: quantile(seeks, 0.5),
      seekP95,
      drift,
      samples: spreads.length,
      stale,
      targets,
    },
    `press to picture p95 ${Math.round(seekP95)} ms (target ${targets.seekP95Ms}); nine pictures apart p95 ${Math.round(drift.p95)} ms, ` +
      `at most ${Math.round(drift.most)} ms (target ${targets.driftMs}), of which a picture lasts ${1000 / archiveFps} ms`,
  );
} finally {
  await browser.close();
  await archive.close();
}
process.exit(0);
