import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { FileSums } from './write.ts';

/** Reads a file once and sums it up. @throws MediaError never; the file system's own error when it cannot be read */
export async function sumFile(path: string, signal?: AbortSignal): Promise<FileSums & { sizeBytes: number }> {
  const hash = createHash('sha256');
  let crc = 0;
  const stream = createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) });
  for await (const block of stream as AsyncIterable<Buffer>) {
    hash.update(block);
    crc = crc32(block, crc);
  }
  return { sha256: hash.digest('hex'), crc32: crc, sizeBytes: (await stat(path)).size };
}
