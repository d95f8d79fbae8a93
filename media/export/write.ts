import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { MediaError } from '../errors.ts';
import { openSource, type ClipLayout, type Extent } from './layout.ts';

const BLOCK_BYTES = 2 << 20;
/** Written bytes after which the disk is asked to begin storing them, so that little is left to wait for at the end. */
const SYNC_EVERY_BYTES = 64 << 20;

/** Writes the head of a clip and some of its extents, so that it can be opened while the rest is still copied. */
export async function writeStart(
  target: FileHandle,
  layout: ClipLayout,
  extents: readonly Extent[],
): Promise<void> {
  await target.truncate(layout.sizeBytes);
  await writeAll(target, layout.head, 0);
  for (const extent of extents) {
    let at = extent.at;
    for await (const block of readBlocks([extent])) {
      await writeAll(target, block, at);
      at += block.length;
    }
  }
}

/** Two sums over a whole file: SHA-256 in hex proves it, CRC-32 is what a ZIP's directory holds. */
export interface FileSums {
  sha256: string;
  crc32: number;
}

/**
 * Copies all media of a clip into place and sums the whole file up on the way: each byte is read once, and reading, writing and hashing
 * overlap. On return the file is on disk.
 * @throws MediaError `rejected` (footage gone or cut), `no-space`, `cancelled`
 */
export async function writeMedia(
  target: FileHandle,
  layout: ClipLayout,
  options: { onBytes: (sizeBytes: number) => void; signal?: AbortSignal },
): Promise<FileSums> {
  const hash = createHash('sha256').update(layout.head);
  let crc = crc32(layout.head);
  let at = layout.head.length;
  let unsynced = 0;
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  try {
    for await (const block of readBlocks(layout.extents)) {
      if (options.signal?.aborted) throw new MediaError('cancelled', 'the export was cancelled');
      await writing;
      writing = writeAll(target, block, at);
      writing.catch(() => undefined); // awaited in the next round; a failure before that must not count as unhandled
      hash.update(block);
      crc = crc32(block, crc);
      at += block.length;
      unsynced += block.length;
      options.onBytes(block.length);
      if (unsynced >= SYNC_EVERY_BYTES) {
        await syncing;
        syncing = target.datasync();
        syncing.catch(() => undefined);
        unsynced = 0;
      }
    }
  } finally {
    await Promise.allSettled([writing, syncing]);
  }
  await Promise.all([writing, syncing]);
  await target.datasync();
  return { sha256: hash.digest('hex'), crc32: crc };
}

/** A clip's bytes in order, as a stream that can be handed on: for whoever reads it once and needs no file. */
export async function* readClip(layout: ClipLayout): AsyncGenerator<Buffer> {
  yield layout.head;
  for await (const block of readBlocks(layout.extents)) yield Buffer.from(block);
}

/** The bytes of the extents as blocks, the next being read while one is handed out. A block is valid until the one after the next is asked for. */
async function* readBlocks(extents: readonly Extent[]): AsyncGenerator<Buffer> {
  const buffers = [0, 1, 2].map(() => Buffer.allocUnsafe(BLOCK_BYTES));
  const source = createSource(extents);
  try {
    let reading = source.fill(buffers[0] as Buffer);
    for (let round = 1; ; round += 1) {
      const block = await reading;
      if (block.length === 0) return;
      reading = source.fill(buffers[round % buffers.length] as Buffer);
      reading.catch(() => undefined); // awaited in the next round
      yield block;
    }
  } finally {
    await source.close();
  }
}

/** Reads extents one behind the other into buffers. */
function createSource(extents: readonly Extent[]) {
  let index = 0;
  let done = 0; // bytes of the current extent
  let current: { path: string; handle: FileHandle } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function fill(buffer: Buffer): Promise<Buffer> {
    let filled = 0;
    while (filled < buffer.length) {
      const extent = extents[index];
      if (!extent) break;
      if (current?.path !== extent.file) {
        await current?.handle.close();
        current = undefined;
        current = { path: extent.file, handle: await openSource(extent.file) };
      }
      const wanted = Math.min(buffer.length - filled, extent.sizeBytes - done);
      const { bytesRead } = await current.handle.read(buffer, filled, wanted, extent.offset + done);
      if (bytesRead === 0 && wanted > 0)
        throw new MediaError('rejected', 'the footage was cut meanwhile', { file: extent.file });
      filled += bytesRead;
      done += bytesRead;
      if (done === extent.sizeBytes) {
        index += 1;
        done = 0;
      }
    }
    return buffer.subarray(0, filled);
  }

  return {
    fill: (buffer: Buffer): Promise<Buffer> => {
      const result = fill(buffer);
      last = result.catch(() => undefined);
      return result;
    },
    async close(): Promise<void> {
      await last;
      await current?.handle.close();
    },
  };
}

async function writeAll(target: FileHandle, data: Buffer, at: number): Promise<void> {
  try {
    for (let written = 0; written < data.length;) {
      const { bytesWritten } = await target.write(data, written, data.length - written, at + written);
      written += bytesWritten;
    }
  } catch (error) {
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw new MediaError('no-space', 'the disk is full', {}, { cause: error });
    throw error;
  }
}
