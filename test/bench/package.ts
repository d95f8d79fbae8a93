// Streaming a package of 1 GB of clips as a ZIP over HTTP on loopback against `zip -0` of the same files to stdout; both are read to the end and thrown away.
// Usage: node test/bench/package.ts [rounds]
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { layOutZip, type ZipEntry } from '#api/cases/zip-layout.ts';
import { readZip } from '#api/cases/zip-stream.ts';
import { median, report } from './clip.ts';

const rounds = Number(process.argv[2] ?? 5);
const fileBytes = 256 * 1024 * 1024;
const dir = await mkdtemp(join(tmpdir(), 'weian-bench-'));
const entries: ZipEntry[] = [];
for (const name of ['1.mp4', '2.mp4', '3.mp4', '4.mp4']) {
  const bytes = Buffer.alloc(fileBytes, randomBytes(1 << 20)); // compressed video looks random
  await writeFile(join(dir, name), bytes);
  entries.push({ name, sizeBytes: fileBytes, crc32: crc32(bytes) });
}
const names = entries.map((entry) => entry.name);
const pathOf = (index: number) => join(dir, names[index] ?? '');

/** Reads to the end. @returns how many bytes came */
async function drain(stream: Readable): Promise<number> {
  let sizeBytes = 0;
  for await (const block of stream as AsyncIterable<Buffer>) sizeBytes += block.length;
  return sizeBytes;
}
const server = createServer((_, response) => {
  const layout = layOutZip(entries, '2026-11-24 12:00:00');
  readZip(layout, pathOf, { start: 0, end: layout.sizeBytes - 1 }).pipe(response);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
async function own(): Promise<number> {
  const [response] = (await once(get({ host: '127.0.0.1', port }), 'response')) as [Readable];
  return drain(response);
}
async function bare(): Promise<number> {
  const child = spawn('zip', ['-q', '-0', '-X', '-', ...names], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return drain(child.stdout);
}

const times = { bare: [] as number[], own: [] as number[] };
let sizeBytes = 0;
for (let round = 0; round < rounds + 1; round += 1) {
  for (const which of round % 2 === 0 ? (['bare', 'own'] as const) : (['own', 'bare'] as const)) {
    const startedAt = performance.now();
    const came = which === 'bare' ? await bare() : await own();
    if (came < fileBytes * entries.length) throw new Error(`${which} gave ${came} bytes`);
    if (which === 'own') sizeBytes = came;
    if (round > 0) times[which].push(performance.now() - startedAt); // the first round warms the caches
  }
}
const hash = createHash('sha256');
const layout = layOutZip(entries, '2026-11-24 12:00:00');
const summedAt = performance.now();
for await (const block of readZip(layout, pathOf, {
  start: 0,
  end: layout.sizeBytes - 1,
}) as AsyncIterable<Buffer>)
  hash.update(block);
const sumMs = performance.now() - summedAt;
server.close();
await rm(dir, { recursive: true, force: true });
const [bareMs, ownMs] = [median(times.bare), median(times.own)];
const ratio = ownMs / bareMs;
report(
  { bench: 'package', sizeBytes, rounds, bareMs, ownMs, ratio, sumMs, times, target: 1.2 },
  `streaming a package of ${Math.round(sizeBytes / 1e6)} MB: ${Math.round(ownMs)} ms against ${Math.round(bareMs)} ms by zip -0: ratio ${ratio.toFixed(2)}; ` +
    `reading it once with SHA-256 takes ${Math.round(sumMs)} ms`,
);
