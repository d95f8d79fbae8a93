import { open } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import { findBox, readBoxes, readBoxHeader } from '../hls/boxes.ts';
import { readCodec } from '../hls/codec-string.ts';
import { readAt } from '../hls/fmp4.ts';

/** Facts from the tables of a finished, not fragmented MP4. */
export interface SampleTables {
  videoCodec: 'h264' | 'h265';
  frameCount: number;
  /** Of the video track's media. */
  durationMs: number;
  hasAudio: boolean;
  /** The tables stand before the media, so that it plays while it is still downloading. */
  isFastStart: boolean;
}

const MOOV_LIMIT_BYTES = 256_000_000;

/** Reads the tables of an MP4 file. @throws MediaError `bad-output` when it is not one, or has no video */
export async function readSampleTables(path: string): Promise<SampleTables> {
  const file = await open(path, 'r');
  try {
    let offset = 0;
    let isFastStart = true;
    for (;;) {
      const box = readBoxHeader(await readAt(file, offset, 16), 0);
      if (!box || box.end < 8) throw new MediaError('bad-output', 'no moov in the file');
      if (box.type === 'mdat') isFastStart = false;
      if (box.type === 'moov') {
        if (box.end > MOOV_LIMIT_BYTES) throw new MediaError('bad-output', 'the moov is too large');
        return { ...parseMoov(await readAt(file, offset, box.end)), isFastStart };
      }
      offset += box.end;
    }
  } finally {
    await file.close();
  }
}

function parseMoov(data: Buffer): Omit<SampleTables, 'isFastStart'> {
  const [moov] = readBoxes(data);
  if (!moov) throw new MediaError('bad-output', 'no moov in the file');
  let facts: Omit<SampleTables, 'isFastStart' | 'hasAudio'> | undefined;
  let hasAudio = false;
  for (const trak of readBoxes(data, moov.body, moov.end).filter((box) => box.type === 'trak')) {
    const find = (...path: string[]) => {
      const box = findBox(data, trak, path);
      if (!box || box.end - box.body < 12) throw new MediaError('bad-output', `no ${path.join('/')}`);
      return box;
    };
    const stbl = ['mdia', 'minf', 'stbl'];
    const { codec } = readCodec(data, find(...stbl, 'stsd'));
    if (codec === 'aac') {
      hasAudio = true;
      continue;
    }
    const mdhd = find('mdia', 'mdhd');
    const isLong = data.readUInt8(mdhd.body) === 1;
    const timescale = data.readUInt32BE(mdhd.body + (isLong ? 20 : 12));
    const ticks = isLong ? Number(data.readBigUInt64BE(mdhd.body + 24)) : data.readUInt32BE(mdhd.body + 16);
    const frameCount = data.readUInt32BE(find(...stbl, 'stsz').body + 8);
    facts = { videoCodec: codec, frameCount, durationMs: Math.round((ticks * 1000) / timescale) };
  }
  if (!facts) throw new MediaError('bad-output', 'the file has no video');
  return { ...facts, hasAudio };
}
