import { execFile } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { layOutZip, type ZipEntry } from './zip-layout.ts';

/** Starting Python takes long on a busy machine. */
const patience = 30_000;
const run = promisify(execFile);
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weian-zip-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Writes a ZIP whose entries hold nothing but zeros; long ones cost no room on disk. */
function write(entries: readonly ZipEntry[]): string {
  const layout = layOutZip(entries, '2026-11-24 23:59:31');
  const path = join(dir, 'x.zip');
  const file = openSync(path, 'w');
  // Neighbouring pieces in one write: there may be a great many.
  for (let from = 0; from < layout.pieces.length;) {
    const end = layout.pieces.findIndex(
      (piece, index) => index >= from && !('bytes' in piece) && piece.sizeBytes > 0,
    );
    const near = layout.pieces.slice(from, end < 0 ? undefined : end);
    const bytes = Buffer.concat(near.flatMap((piece) => ('bytes' in piece ? piece.bytes : [])));
    writeSync(file, bytes, 0, bytes.length, near[0]?.at ?? 0);
    from = end < 0 ? layout.pieces.length : end + 1;
  }
  ftruncateSync(file, layout.sizeBytes);
  closeSync(file);
  return path;
}

it('every piece lies behind the one before it, and the layout says how long all is', () => {
  const entries = [5, 0, 7].map((sizeBytes, index) => ({ name: `f${index}`, sizeBytes, crc32: 0 }));
  const { pieces, sizeBytes } = layOutZip(entries, '2026-11-24 23:59:30');
  let at = 0;
  for (const piece of pieces) {
    expect(piece.at).toBe(at);
    at += piece.sizeBytes;
  }
  expect(sizeBytes).toBe(at);
  expect(layOutZip(entries, '2026-11-24 23:59:30')).toEqual({ pieces, sizeBytes });
});

it(
  'small packages need no Zip64, and another program reads names, times and content',
  async () => {
    const zeros = crc32(Buffer.alloc(1_000));
    const path = write([
      { name: 'clips/急诊 大厅.mp4', sizeBytes: 1_000, crc32: zeros },
      { name: 'empty', sizeBytes: 0, crc32: 0 },
    ]);
    const { stdout } = await run('python3', [
      '-c',
      'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip()); [print(i.filename, i.file_size, i.extract_version, i.date_time) for i in z.infolist()]',
      path,
    ]);
    expect(stdout.trim().split('\n')).toEqual([
      'None',
      'clips/急诊 大厅.mp4 1000 20 (2026, 11, 24, 23, 59, 30)',
      'empty 0 20 (2026, 11, 24, 23, 59, 30)',
    ]);
  },
  patience,
);

it(
  'files over 4 GB and files beyond 4 GB are found by another program',
  async () => {
    const long = 5_000_000_000;
    const path = write([
      { name: 'long', sizeBytes: long, crc32: 1 },
      { name: 'exactly', sizeBytes: 0xffff_ffff, crc32: 2 },
      { name: 'far', sizeBytes: 10, crc32: crc32(Buffer.alloc(10)) },
    ]);
    const { stdout } = await run('python3', [
      '-c',
      'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print([i.file_size for i in z.infolist()], z.read("far"))',
      path,
    ]);
    expect(stdout).toContain(`[${long}, 4294967295, 10] b'${String.raw`\x00`.repeat(10)}'`);
  },
  patience,
);

it(
  'very many files are counted by another program',
  async () => {
    const many = Array.from({ length: 66_000 }, (_, index) => ({
      name: `f${index}`,
      sizeBytes: 0,
      crc32: 0,
    }));
    const counted = await run('python3', [
      '-c',
      'import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).infolist()))',
      write(many),
    ]);
    expect(counted.stdout.trim()).toBe('66000');
  },
  patience,
);
