import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { MediaError } from '../errors.ts';
import { readBoxHeader } from '../hls/boxes.ts';
import { readAt, readTrackFragments, type Fmp4Init } from '../hls/fmp4.ts';
import type { ClipPart, ClipPiece } from './plan.ts';

/**
 * The pieces of a part as one fragmented MP4 stream: the init segment, then each fragment with its decode times moved. Each
 * byte is read once; a file is open only while its pieces are read. `onBytes` hears how much has been handed on.
 */
export function streamPieces(part: ClipPart, onBytes: (sizeBytes: number) => void): Readable {
  async function* read(): AsyncGenerator<Buffer> {
    yield part.init.bytes;
    let current: { path: string; handle: FileHandle } | undefined;
    try {
      for (const piece of part.pieces) {
        if (current?.path !== piece.file) {
          await current?.handle.close();
          current = undefined;
          current = { path: piece.file, handle: await open(piece.file, 'r') };
        }
        const data = await readAt(current.handle, piece.fragment.offset, piece.fragment.sizeBytes);
        if (data.length < piece.fragment.sizeBytes)
          throw new MediaError('rejected', 'the footage was cut meanwhile');
        moveTimes(data, piece, part.init);
        onBytes(data.length);
        yield data;
      }
    } finally {
      await current?.handle.close();
    }
  }
  return Readable.from(read(), { objectMode: false, highWaterMark: 1 << 20 });
}

/** Adds the piece's shift to every track's decode time, in place. */
function moveTimes(data: Buffer, piece: ClipPiece, init: Fmp4Init): void {
  const moof = readBoxHeader(data, 0);
  if (!moof) throw new MediaError('bad-output', 'a fragment was expected');
  for (const { trackId, tfdt } of readTrackFragments(data, moof)) {
    const track = [init.video, init.audio].find((each) => each?.id === trackId);
    if (!track) continue;
    const shift = Math.round((piece.shiftTicks * track.timescale) / init.video.timescale);
    const isLong = data.readUInt8(tfdt.body) === 1;
    const ticks = isLong ? Number(data.readBigUInt64BE(tfdt.body + 4)) : data.readUInt32BE(tfdt.body + 4);
    const moved = Math.max(0, ticks + shift); // sound may start a few ms before the first picture
    if (isLong) data.writeBigUInt64BE(BigInt(moved), tfdt.body + 4);
    else data.writeUInt32BE(moved, tfdt.body + 4);
  }
}
