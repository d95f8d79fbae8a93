import { MediaError } from '../errors.ts';
import { readBoxes, type Box } from './boxes.ts';

/** One track's part of a `moof`. */
export interface TrackFragment {
  trackId: number;
  /** Decode time of its first sample, in ticks of the track. */
  decodeTicks: number;
  tfhd: Box;
  truns: Box[];
}

/** One sample as a `trun` tells it. Times in ticks of the track. */
export interface FragmentSample {
  decodeTicks: number;
  durationTicks: number;
  /** Presentation time minus decode time. */
  shiftTicks: number;
  sizeBytes: number;
  isSync: boolean;
}

const SAMPLES_LIMIT = 200_000;
const NON_SYNC = 0x10000; // ISO/IEC 14496-12, 8.8.3.1: sample_is_non_sync_sample

/**
 * The tracks of a `moof`. Source: ISO/IEC 14496-12, 8.8.7 to 8.8.12.
 * @throws MediaError `bad-output`
 */
export function readTrackFragments(data: Buffer, moof: Box): TrackFragment[] {
  return readBoxes(data, moof.body, moof.end)
    .filter((box) => box.type === 'traf')
    .map((traf) => {
      const boxes = readBoxes(data, traf.body, traf.end);
      const tfhd = boxes.find((box) => box.type === 'tfhd');
      const tfdt = boxes.find((box) => box.type === 'tfdt');
      if (!tfhd || tfhd.end - tfhd.body < 8 || !tfdt || tfdt.end - tfdt.body < 8) {
        throw new MediaError('bad-output', 'a track fragment without its head');
      }
      const isLong = data.readUInt8(tfdt.body) === 1;
      if (isLong && tfdt.end - tfdt.body < 12) throw new MediaError('bad-output', 'a decode time is cut');
      return {
        trackId: data.readUInt32BE(tfhd.body + 4),
        decodeTicks: isLong ? Number(data.readBigUInt64BE(tfdt.body + 4)) : data.readUInt32BE(tfdt.body + 4),
        tfhd,
        truns: boxes.filter((box) => box.type === 'trun'),
      };
    });
}

/**
 * Calls `visit` for each sample of a track's fragment, in decode order. `onRun` hears, before the samples of each `trun`, how far
 * behind the start of the `moof` its data lies.
 * @throws MediaError `bad-output` for cut tables, too many samples, or data that is addressed by file position
 */
export function visitSamples(
  data: Buffer,
  part: TrackFragment,
  visit: (sample: FragmentSample) => void,
  onRun?: (dataOffset: number, samples: number) => void,
): void {
  const head = reader(data, part.tfhd.body, part.tfhd.end);
  const headFlags = head.next() & 0xffffff;
  head.next();
  if (headFlags & 0x1) {
    if (onRun) throw new MediaError('bad-output', 'a fragment that is bound to its place in a file');
    head.skip(8);
  }
  if (headFlags & 0x2) head.skip(4);
  const defaultTicks = headFlags & 0x8 ? head.next() : 0;
  const defaultBytes = headFlags & 0x10 ? head.next() : 0;
  const defaultFlags = headFlags & 0x20 ? head.next() : 0;

  let { decodeTicks } = part;
  let count = 0;
  let nextOffset = 0;
  for (const trun of part.truns) {
    const run = reader(data, trun.body, trun.end);
    const flags = run.next();
    const samples = run.next();
    count += samples;
    if (count > SAMPLES_LIMIT) throw new MediaError('bad-output', 'too many samples in a fragment');
    if (flags & 0x1) nextOffset = run.next() | 0;
    onRun?.(nextOffset, samples);
    const firstFlags = flags & 0x4 ? run.next() : undefined;
    for (let index = 0; index < samples; index += 1) {
      const durationTicks = flags & 0x100 ? run.next() : defaultTicks;
      const sizeBytes = flags & 0x200 ? run.next() : defaultBytes;
      const own = flags & 0x400 ? run.next() : defaultFlags;
      const shiftTicks = flags & 0x800 ? run.next() | 0 : 0;
      const isSync = (((index === 0 ? firstFlags : undefined) ?? own) & NON_SYNC) === 0;
      visit({ decodeTicks, durationTicks, shiftTicks, sizeBytes, isSync });
      decodeTicks += durationTicks;
      nextOffset += sizeBytes;
    }
  }
}

function reader(data: Buffer, from: number, to: number): { next(): number; skip(bytes: number): void } {
  let at = from;
  const advance = (bytes: number): number => {
    if (at + bytes > to) throw new MediaError('bad-output', 'a sample table is cut');
    at += bytes;
    return at - bytes;
  };
  return { next: () => data.readUInt32BE(advance(4)), skip: (bytes) => void advance(bytes) };
}
