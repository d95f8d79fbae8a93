import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '#api/errors.ts';

/** A file to answer with. */
export interface RangedFile {
  readonly path: string;
  readonly contentType: string;
  /** Strong tag of the content, without quotes; a download can then be continued with `If-Range`. */
  readonly tag: string;
  readonly cacheControl: string;
  /** `Content-Disposition`, for downloads. */
  readonly disposition?: string;
  /** Serve only this much, for a file that still grows. Default: its size now. */
  readonly sizeBytes?: number;
}

const mostOpen = 128;
let openNow = 0;

/**
 * Answers `request` with the file or the one range asked for: 200, 206, 304 or 416. Several ranges at once are answered whole, as
 * RFC 9110 allows. The bytes flow at the client's pace, and the file is closed when the client goes away.
 * Source: RFC 9110, 13.1 and 14.
 * @throws AppError not-found when the file is gone, unavailable when too many files are being read
 */
export async function sendRangedFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: RangedFile,
): Promise<FastifyReply> {
  if (openNow >= mostOpen) throw new AppError('unavailable', { problem: 'too many files are being read' });
  const handle = await openForReading(file.path);
  let isHandedOver = false;
  try {
    const size = file.sizeBytes ?? (await handle.stat()).size;
    const etag = `"${file.tag}"`;
    reply.headers({
      'content-type': file.contentType,
      'cache-control': file.cacheControl,
      'accept-ranges': 'bytes',
      etag,
      ...(file.disposition === undefined ? {} : { 'content-disposition': file.disposition }),
    });
    const { 'if-none-match': ifNoneMatch, 'if-range': ifRange, range: rangeHeader } = request.headers;
    if (ifNoneMatch?.split(',').some((tag) => tag.trim() === etag)) return reply.status(304).send();
    const isRangeValid = ifRange === undefined || ifRange === etag;
    const range = isRangeValid ? parseRange(rangeHeader, size) : undefined;
    if (range === 'unsatisfiable')
      return reply
        .status(416)
        .headers({ 'content-range': `bytes */${size}`, 'content-type': 'text/plain' })
        .send();
    const { start, end } = range ?? { start: 0, end: size - 1 };
    if (range) reply.status(206).header('content-range', `bytes ${start}-${end}/${size}`);
    reply.header('content-length', end - start + 1);
    // An empty stream: without a payload Fastify would answer HEAD with a length of 0.
    if (request.method === 'HEAD' || size === 0) return reply.send(Readable.from([]));
    const stream = createReadStream('', { fd: handle, start, end });
    isHandedOver = true;
    openNow += 1;
    stream.once('close', () => {
      openNow -= 1;
    });
    return reply.send(stream);
  } finally {
    if (!isHandedOver) await handle.close();
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new AppError('not-found', undefined, { cause: error });
    throw error;
  }
}

/** The one range that `header` asks of `size` bytes; undefined for none, several, or one that is not understood. */
export function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (!match || (from === '' && to === '')) return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  if (to !== '' && Number(to) < start) return undefined;
  if (start >= size) return 'unsatisfiable';
  return { start, end: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
