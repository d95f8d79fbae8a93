import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Export } from '#api/footage/schema.ts';
import { silentLog as log } from '#media/log.ts';
import { runFfmpeg } from '#media/process/ffmpeg.ts';
import { words } from '#media/process/words.ts';
import { archiveFps, numberBits, startArchive, type Archive } from '../factories/archive.ts';
import { until } from '../factories/footage.ts';

const frameMs = 1000 / archiveFps;
const groupMs = 1_000;
const seconds = 60;
const gap = { fromS: 25, toS: 35 };
/** Set higher to look for what seldom happens. */
const roundsEach = Number(process.env.WEIAN_RANGES ?? 4);
const seed = 20_261_124;

describe('exports of random ranges of footage whose pictures carry their number', () => {
  let archive: Archive;
  let state = seed;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;

  beforeAll(async () => {
    archive = await startArchive({ cameras: 1, seconds, gap });
  });
  afterAll(() => archive?.close());

  const startedAt = () => archive.startedAt[0] ?? NaN;
  const isRecorded = (n: number) => {
    const s = n / archiveFps;
    return n >= 0 && s < seconds && !(s >= gap.fromS && s < gap.toS);
  };
  /** Numbers of the pictures that were taken in a range. */
  const takenIn = (fromAt: number, toAt: number) =>
    Array.from({ length: seconds * archiveFps }, (_, n) => n).filter((n) => {
      const at = startedAt() + n * frameMs;
      return isRecorded(n) && at >= fromAt && at < toAt;
    });
  /** A range with at least a picture in it, whose ends lie between two pictures: on a picture's very millisecond either side is right. */
  function choose(): { fromAt: number; toAt: number } {
    for (;;) {
      const between = (ms: number) => Math.floor(ms / frameMs) * frameMs + 5 + Math.floor(random() * 30);
      const lengthMs = 1_000 + random() * 14_000;
      const from = between(random() * (seconds * 1000 - lengthMs));
      const range = { fromAt: startedAt() + from, toAt: startedAt() + between(from + lengthMs) };
      if (takenIn(range.fromAt, range.toAt).length > 0) return range;
    }
  }
  async function exportRange(range: { fromAt: number; toAt: number }, mode: Export['mode']): Promise<Export> {
    const { id } = await archive.admin.send<Export>('POST', '/api/exports', {
      channelId: archive.channelIds[0],
      fromAt: new Date(range.fromAt).toISOString(),
      toAt: new Date(range.toAt).toISOString(),
      reason: '核对',
      mode,
    });
    return until(
      async () => {
        const entry = await archive.admin.send<Export>('GET', `/api/exports/${id}`);
        return entry.state === 'ready' || entry.state === 'failed' ? entry : undefined;
      },
      30_000,
      'the export',
    );
  }
  const pathOf = (entry: Export) => join(archive.dataDir, 'exports', entry.fileName ?? '');

  it(`copies hold every picture asked for and begin at most one group early, ${roundsEach} times`, async () => {
    for (let round = 0; round < roundsEach; round += 1) {
      const range = choose();
      const entry = await exportRange(range, 'copy');
      const where = `seed ${seed}, round ${round}`;
      expect(entry, where).toMatchObject({ state: 'ready' });
      const found = await readNumbers(pathOf(entry));
      const asked = takenIn(range.fromAt, range.toAt);
      const [first = NaN, last = NaN] = [found[0], found.at(-1)];
      // All of them, in order, none twice; more only at the ends.
      const wholeAt = { fromAt: startedAt() + first * frameMs, toAt: startedAt() + last * frameMs + 1 };
      expect(found, where).toEqual(takenIn(wholeAt.fromAt, wholeAt.toAt));
      expect(first, where).toBeLessThanOrEqual(asked[0] ?? NaN);
      expect(last, where).toBeGreaterThanOrEqual(asked.at(-1) ?? NaN);
      expect(range.fromAt - wholeAt.fromAt, where).toBeLessThan(groupMs);
      expect(wholeAt.toAt - range.toAt, where).toBeLessThan(groupMs);
      expect(entry.result?.frameCount, where).toBe(found.length);
      const lead = Math.max(0, range.fromAt - wholeAt.fromAt);
      expect(Math.abs((entry.result?.leadMs ?? NaN) - lead), where).toBeLessThanOrEqual(1);
    }
  });

  it(`transcodes hold exactly the pictures asked for, ${roundsEach} times`, async () => {
    for (let round = 0; round < roundsEach; round += 1) {
      const range = choose();
      const entry = await exportRange(range, 'transcode');
      const where = `seed ${seed}, round ${round}`;
      expect(entry, where).toMatchObject({ state: 'ready' });
      const asked = takenIn(range.fromAt, range.toAt);
      expect(await readNumbers(pathOf(entry)), where).toEqual(asked);
      expect(entry.result, where).toMatchObject({ frameCount: asked.length, leadMs: 0, tailMs: 0 });
    }
  });
});

/** The number in each decoded picture of a file, in order of showing. */
async function readNumbers(path: string): Promise<number[]> {
  const sink = new PassThrough();
  const chunks: Buffer[] = [];
  sink.on('data', (chunk: Buffer) => chunks.push(chunk));
  const filter = `crop=iw:8:0:4,scale=${numberBits}:1:flags=area,format=gray`;
  const end = await runFfmpeg(
    {
      inputs: [{ source: path }],
      outputs: [
        { target: sink, options: [...words('-map 0:v:0 -fps_mode passthrough -f rawvideo -vf'), filter] },
      ],
    },
    { log, deadlineMs: 60_000 },
  );
  if (end.exitCode !== 0) throw new Error(end.stderr.join('\n'));
  const cells = Buffer.concat(chunks);
  return Array.from({ length: cells.length / numberBits }, (_, frame) =>
    cells
      .subarray(frame * numberBits, (frame + 1) * numberBits)
      .reduce((sum, value, bit) => sum + (value > 128 ? 2 ** bit : 0), 0),
  );
}
