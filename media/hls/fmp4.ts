import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { findBox, readBoxes, readBoxHeader, type Box } from './boxes.ts';
import { readCodec, type CodecFacts } from './codec-string.ts';
import { readTrackFragments, visitSamples } from './track-fragments.ts';
import { MediaError } from '../errors.ts';
import { mediaMs, type MediaMs } from '../time.ts';

/** One track of an init segment. */
export interface Fmp4Track extends CodecFacts {
  id: number;
  /** Ticks a second. */
  timescale: number;
}

/** The part before the first fragment (`ftyp` and `moov`). */
export interface Fmp4Init {
  /** Bytes from the start of the file. */
  sizeBytes: number;
  bytes: Buffer;
  video: Fmp4Track;
  audio: Fmp4Track | undefined;
  /** Comma-separated RFC 6381 strings, video first. */
  codecs: string;
  /** Equal for two files exactly when one decoder setup plays both (codec configuration and size, nothing else). */
  setupHash: string;
}

/** One complete `moof` with its `mdat`. Times are presentation times of the video track on the run's time line. */
export interface Fragment {
  offset: number;
  sizeBytes: number;
  moofBytes: number;
  startMs: MediaMs;
  endMs: MediaMs;
  /** Decode time of the first video sample, in ticks of the track. */
  decodeTicks: number;
  /** Sum of the video samples' durations, in ticks. */
  durationTicks: number;
  videoSamples: number;
  /** Samples of all tracks. */
  samples: number;
  /** Bytes of the first sample, where a key frame lies. */
  firstSampleBytes: number;
  /** Starts with a key frame, so that decoding can start here. */
  isKey: boolean;
}

const INIT_LIMIT_BYTES = 1_000_000;
const MOOF_LIMIT_BYTES = 4_000_000;
const FRAGMENT_LIMIT_BYTES = 512_000_000;
/** One read of this size holds the `moof` of an ordinary group of pictures and the header of its `mdat`. */
const READ_BYTES = 8_192;

/**
 * Reads the init segment of a fragmented file that may still grow; undefined while it is not complete.
 * @throws MediaError `bad-output` (not such a file, no video track), `not-supported` (codec)
 */
export async function readInit(file: FileHandle): Promise<Fmp4Init | undefined> {
  let end = 0;
  for (;;) {
    const header = await readAt(file, end, 16);
    const box = readBoxHeader(header, 0);
    if (!box) return undefined;
    if (end === 0 && box.type !== 'ftyp') throw new MediaError('bad-output', 'not an MP4 file');
    if (box.type === 'moof' || box.type === 'mdat')
      throw new MediaError('bad-output', 'no moov before the media');
    end += box.end;
    if (box.end < 8 || end > INIT_LIMIT_BYTES)
      throw new MediaError('bad-output', 'the init segment has no end');
    if (box.type === 'moov') break;
  }
  const bytes = await readAt(file, 0, end);
  return bytes.length < end ? undefined : parseInit(bytes);
}

/** Parses the bytes of an init segment. @throws MediaError `bad-output`, `not-supported` */
export function parseInit(bytes: Buffer): Fmp4Init {
  const moov = readBoxes(bytes).find((box) => box.type === 'moov');
  if (!moov) throw new MediaError('bad-output', 'no moov');
  const tracks = readBoxes(bytes, moov.body, moov.end)
    .filter((box) => box.type === 'trak')
    .map((trak) => readTrack(bytes, trak));
  const video = tracks.find((track) => track.codec !== 'aac');
  const audio = tracks.find((track) => track.codec === 'aac');
  if (!video) throw new MediaError('bad-output', 'no video track');
  const used = audio ? [video, audio] : [video];
  const setup = createHash('sha256');
  for (const { id, timescale, width, height, config } of used) {
    setup.update(`${id} ${timescale} ${width} ${height} `).update(config);
  }
  return {
    sizeBytes: bytes.length,
    bytes,
    video,
    audio,
    codecs: used.map((track) => track.codecString).join(','),
    setupHash: setup.digest('hex').slice(0, 16),
  };
}

/** What lies at an offset: a fragment, nothing more to come (`end`), or bytes that are not all there yet (`partial`). */
export type FragmentRead = { kind: 'fragment'; fragment: Fragment } | { kind: 'end' } | { kind: 'partial' };

/**
 * Reads the head of the fragment at `offset`; the media bytes themselves are not read.
 * @throws MediaError `bad-output` for bytes that cannot become a fragment
 */
export async function readFragmentAt(
  file: FileHandle,
  init: Fmp4Init,
  offset: number,
  fileBytes: number,
): Promise<FragmentRead> {
  let at = offset;
  if (at >= fileBytes) return { kind: 'end' };
  let data = await readAt(file, at, READ_BYTES);
  let moof = readBoxHeader(data, 0);
  // Boxes that carry no media may stand between fragments; the index at the end of a file is one of them.
  while (moof && ['styp', 'sidx', 'emsg', 'free', 'mfra'].includes(moof.type)) {
    if (moof.end < 8 || moof.end > MOOF_LIMIT_BYTES) throw new MediaError('bad-output', 'a box has no end');
    at += moof.end;
    if (at >= fileBytes) return { kind: at === fileBytes ? 'end' : 'partial' };
    data = await readAt(file, at, READ_BYTES);
    moof = readBoxHeader(data, 0);
  }
  if (!moof) return { kind: 'partial' };
  if (moof.type !== 'moof' || moof.end < 8 || moof.end > MOOF_LIMIT_BYTES) {
    throw new MediaError('bad-output', 'a fragment was expected', { offset: at, found: moof.type });
  }
  if (data.length < moof.end + 16) data = await readAt(file, at, moof.end + 16);
  const mdat = readBoxHeader(data, moof.end);
  if (!mdat || data.length < moof.end) return { kind: 'partial' };
  if (mdat.type !== 'mdat' || mdat.end - mdat.start > FRAGMENT_LIMIT_BYTES) {
    throw new MediaError('bad-output', 'a fragment without its media', { offset: at, found: mdat.type });
  }
  if (at + mdat.end > fileBytes) return { kind: 'partial' };
  const samples = readSamples(data, moof, init.video);
  return { kind: 'fragment', fragment: { offset: at, sizeBytes: mdat.end, moofBytes: moof.end, ...samples } };
}

/** All complete fragments of a file and where they end; the rest of the file is an unfinished fragment or damage. */
export async function listFragments(
  file: FileHandle,
): Promise<{ init: Fmp4Init; fragments: Fragment[]; completeBytes: number } | undefined> {
  const init = await readInit(file);
  if (!init) return undefined;
  const { size } = await file.stat();
  const fragments: Fragment[] = [];
  let completeBytes = init.sizeBytes;
  for (;;) {
    let read: FragmentRead;
    try {
      read = await readFragmentAt(file, init, completeBytes, size);
    } catch (error) {
      if (error instanceof MediaError && error.code === 'bad-output') break; // damage: what lies before it is good
      throw error;
    }
    if (read.kind !== 'fragment') break;
    fragments.push(read.fragment);
    completeBytes = read.fragment.offset + read.fragment.sizeBytes;
  }
  return { init, fragments, completeBytes };
}

/** Reads up to `length` bytes at `offset`; fewer at the end of the file. */
export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function readTrack(data: Buffer, trak: Box): Fmp4Track {
  const need = (path: readonly string[], leastBytes: number): Box => {
    const box = findBox(data, trak, path);
    if (!box || box.end - box.body < leastBytes) throw new MediaError('bad-output', `no ${path.join('/')}`);
    return box;
  };
  const tkhd = need(['tkhd'], 24);
  const mdhd = need(['mdia', 'mdhd'], 24);
  const isLong = (box: Box) => data.readUInt8(box.body) === 1;
  const timescale = data.readUInt32BE(mdhd.body + (isLong(mdhd) ? 20 : 12));
  if (timescale === 0) throw new MediaError('bad-output', 'a track without a time scale');
  return {
    id: data.readUInt32BE(tkhd.body + (isLong(tkhd) ? 20 : 12)),
    timescale,
    ...readCodec(data, need(['mdia', 'minf', 'stbl', 'stsd'], 16)),
  };
}

type Samples = Pick<
  Fragment,
  | 'startMs'
  | 'endMs'
  | 'decodeTicks'
  | 'durationTicks'
  | 'videoSamples'
  | 'samples'
  | 'firstSampleBytes'
  | 'isKey'
>;

function readSamples(data: Buffer, moof: Box, track: Fmp4Track): Samples {
  const parts = readTrackFragments(data, moof);
  const part = parts.find((each) => each.trackId === track.id);
  if (!part) throw new MediaError('bad-output', 'a fragment without video');
  const { decodeTicks } = part;
  let [ticks, start, end, count, firstBytes, isKey] = [decodeTicks, Infinity, -Infinity, 0, 0, false];
  visitSamples(data, part, (sample) => {
    if (count === 0) {
      isKey = sample.isSync;
      firstBytes = sample.sizeBytes;
    }
    start = Math.min(start, sample.decodeTicks + sample.shiftTicks);
    end = Math.max(end, sample.decodeTicks + sample.shiftTicks + sample.durationTicks);
    ticks = sample.decodeTicks + sample.durationTicks;
    count += 1;
  });
  if (count === 0) throw new MediaError('bad-output', 'a fragment without video samples');
  const otherSamples = parts
    .filter((each) => each !== part)
    .flatMap((each) => each.truns)
    .reduce((sum, trun) => sum + (trun.end - trun.body >= 8 ? data.readUInt32BE(trun.body + 4) : 0), 0);
  const toMs = (value: number) => mediaMs((value * 1000) / track.timescale);
  return {
    startMs: toMs(start),
    endMs: toMs(end),
    decodeTicks,
    durationTicks: ticks - decodeTicks,
    videoSamples: count,
    samples: count + otherSamples,
    firstSampleBytes: firstBytes,
    isKey,
  };
}
