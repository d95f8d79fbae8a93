import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { AppError } from '#api/errors.ts';
import type { ZipLayout } from './zip-layout.ts';

const blockBytes = 1 << 20;

/**
 * The bytes of a ZIP from `start` to `end` (both included), read straight from the files: `pathOf` tells where the entry with an index lies. The
 * stream fails where a file has become shorter than the layout says.
 */
export function readZip(
  layout: ZipLayout,
  pathOf: (entry: number) => string,
  { start, end }: { start: number; end: number },
): Readable {
  return Readable.from(readPieces(layout, pathOf, start, end), {
    objectMode: false,
    highWaterMark: blockBytes,
  });
}

async function* readPieces(
  layout: ZipLayout,
  pathOf: (entry: number) => string,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  for (const piece of layout.pieces) {
    const from = Math.max(start, piece.at) - piece.at;
    const to = Math.min(end + 1, piece.at + piece.sizeBytes) - piece.at;
    if (from >= to) continue;
    if ('bytes' in piece) yield piece.bytes.subarray(from, to);
    else yield* readFilePart(pathOf(piece.entry), from, to);
  }
}

async function* readFilePart(path: string, from: number, to: number): AsyncGenerator<Buffer> {
  let left = to - from;
  const stream = createReadStream(path, { start: from, end: to - 1, highWaterMark: blockBytes });
  for await (const block of stream as AsyncIterable<Buffer>) {
    left -= block.length;
    yield block;
  }
  if (left !== 0)
    throw new AppError('not-found', { problem: 'a file of the package is shorter than it was' });
}
