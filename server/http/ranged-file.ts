import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '#api/errors.ts';

/** Bytes to answer with, wherever they come from. */
export interface RangedContent {
  readonly contentType: string;
  /** Strong tag of the content, without quotes; a download can then be continued with `If-Range`. */
  readonly tag: string;
  readonly cacheControl: string;
  /** `Content-Disposition`, for downloads. */
  readonly disposition?: string;
  readonly sizeBytes: number;
  /** The bytes from `start` to `end`, both included. */
  open(start: number, end: number): Readable;
}

/** A file to answer with. */
export interface RangedFile extends Omit<RangedContent, 'sizeBytes' | 'open'> {
  readonly path: string;
  /** Serve only this much, for a file that still grows. Default: its size now. */
  readonly sizeBytes?: number;
}

const mostOpen = 128;
let openNow = 0;

/**
 * Answers `request` with a file, as {@link sendRanged}; the file is closed when the client goes away.
 * @throws AppError not-found when the file is gone, unavailable when too many files are being read
 */
export async function sendRangedFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: RangedFile,
): Promise<FastifyReply> {
  checkRoom();
  const handle = await openForReading(file.path);
  let isHandedOver = false;
  try {
    const sizeBytes = file.sizeBytes ?? (await handle.stat()).size;
    const open = (start: number, end: number) => {
      isHandedOver = true;
      return createReadStream('', { fd: handle, start, end });
    };
    return await sendRanged(request, reply, { ...file, sizeBytes, open });
  } finally {
    if (!isHandedOver) await handle.close();
  }
}

/**
 * Answers `request` with the content or the one range asked for: 200, 206, 304 or 416. Several ranges at once are answered whole, as
 * RFC 9110 allows. The bytes flow at the client's pace, and their stream is destroyed when the client goes away.
 * Source: RFC 9110, 13.1 and 14.
 * @throws AppError unavailable when too much is being read
 */
export async function sendRanged(
  request: FastifyRequest,
  reply: FastifyReply,
  content: RangedContent,
): Promise<FastifyReply> {
  checkRoom();
  const { sizeBytes: size } = content;
  const etag = `"${content.tag}"`;
  reply.headers({
    'content-type': content.contentType,
    'cache-control': content.cacheControl,
    'accept-ranges': 'bytes',
    etag,
    ...(content.disposition === undefined ? {} : { 'content-disposition': content.disposition }),
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
  const stream = content.open(start, end);
  openNow += 1;
  stream.once('close', () => {
    openNow -= 1;
  });
  return reply.send(stream);
}

function checkRoom(): void {
  if (openNow >= mostOpen) throw new AppError('unavailable', { problem: 'too many files are being read' });
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
