import { open, type FileHandle } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import { readBoxes } from '../hls/boxes.ts';
import { fragmentRange, type FootageFile } from '../hls/footage.ts';
import { readAt, type Fmp4Track, type Fragment } from '../hls/fmp4.ts';
import { readTrackFragments, visitSamples } from '../hls/track-fragments.ts';
import type { WallMs } from '../time.ts';

/** A key frame in a file of footage: the only kind of picture that can be decoded alone. */
export interface KeyPlace {
  readonly file: FootageFile;
  readonly fragment: Fragment;
  /** When the camera took it. */
  readonly at: WallMs;
}

/** The largest key frame that is believed; a 4K picture at its finest has about 3 MB. */
const KEY_LIMIT_BYTES = 16_000_000;
const START_CODE = Buffer.from([0, 0, 0, 1]);

/** All key frames of a file, in time order. Nothing is read: the heads of its fragments tell. */
export function listKeyPlaces(file: FootageFile): KeyPlace[] {
  return file.fragments
    .filter((fragment) => fragment.isKey)
    .map((fragment) => ({ file, fragment, at: fragmentRange(file, fragment).fromAt }));
}

/**
 * Of places in time order, those at least `stepMs` apart, beginning with the first.
 * A step of 0 keeps all.
 */
export function thinOut<T extends { readonly at: number }>(places: readonly T[], stepMs: number): T[] {
  const kept: T[] = [];
  for (const place of places) {
    const last = kept.at(-1);
    // Key frames come at the camera's own beat: a tenth of the step is jitter, not a reason to drop every second one.
    if (last === undefined || place.at - last.at >= stepMs * 0.9) kept.push(place);
  }
  return kept;
}

/**
 * The key frame alone as a raw stream (Annex B) with the parameter sets it needs: what a decoder takes without the rest of the group of pictures,
 * which is read neither from disk nor through a pipe. Source: ISO/IEC 14496-15, 5.3.3 (avcC) and 8.3.3 (hvcC); ITU-T H.264 and H.265 annex B.
 * @throws MediaError `bad-output` (cut or misshapen), `rejected` (the file is gone)
 */
export async function readKeyPicture(place: KeyPlace, handle?: FileHandle): Promise<Buffer> {
  const { file, fragment } = place;
  const { video } = file.init;
  const own = handle ?? (await openFootage(file.segment.file));
  try {
    const moof = await readAt(own, fragment.offset, fragment.moofBytes);
    const sample = firstSample(moof, video.id);
    if (sample.offset + sample.sizeBytes > fragment.sizeBytes || sample.sizeBytes > KEY_LIMIT_BYTES)
      throw new MediaError('bad-output', 'the key frame lies outside its fragment');
    const data = await readAt(own, fragment.offset + sample.offset, sample.sizeBytes);
    if (data.length < sample.sizeBytes) throw new MediaError('bad-output', 'the key frame is cut');
    return toAnnexB(data, video);
  } finally {
    if (!handle) await own.close();
  }
}

/** @throws MediaError `rejected` when the file is gone */
export async function openFootage(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new MediaError('rejected', 'the segment is gone', { file: path }, { cause: error });
  }
}

/** Where the first video sample of a fragment lies, from the start of its `moof`. */
function firstSample(moofBytes: Buffer, trackId: number): { offset: number; sizeBytes: number } {
  const moof = readBoxes(moofBytes).find((box) => box.type === 'moof');
  const part = moof && readTrackFragments(moofBytes, moof).find((each) => each.trackId === trackId);
  if (!part) throw new MediaError('bad-output', 'a fragment without video');
  let offset: number | undefined;
  let sizeBytes: number | undefined;
  visitSamples(
    moofBytes,
    part,
    (sample) => (sizeBytes ??= sample.sizeBytes),
    (runOffset) => (offset ??= runOffset),
  );
  if (offset === undefined || sizeBytes === undefined || offset < 0)
    throw new MediaError('bad-output', 'a fragment without video samples');
  return { offset, sizeBytes };
}

/** Replaces the length before each NAL unit by a start code and puts the parameter sets in front. */
export function toAnnexB(sample: Buffer, track: Pick<Fmp4Track, 'codec' | 'config'>): Buffer {
  const { lengthBytes, sets } = parameterSets(track);
  const parts: Buffer[] = sets.flatMap((set) => [START_CODE, set]);
  for (let at = 0; at < sample.length;) {
    if (at + lengthBytes > sample.length) throw new MediaError('bad-output', 'a NAL unit is cut');
    const length = sample.readUIntBE(at, lengthBytes);
    at += lengthBytes;
    if (at + length > sample.length) throw new MediaError('bad-output', 'a NAL unit is cut');
    parts.push(START_CODE, sample.subarray(at, at + length));
    at += length;
  }
  return Buffer.concat(parts);
}

function parameterSets({ codec, config }: Pick<Fmp4Track, 'codec' | 'config'>): {
  lengthBytes: number;
  sets: Buffer[];
} {
  const sets: Buffer[] = [];
  let at = codec === 'h265' ? 22 : 5;
  const byte = () => {
    const value = config[at];
    if (value === undefined) throw new MediaError('bad-output', 'the decoder configuration is cut');
    at += 1;
    return value;
  };
  const take = () => {
    const length = (byte() << 8) | byte();
    if (at + length > config.length) throw new MediaError('bad-output', 'a parameter set is cut');
    sets.push(config.subarray(at, at + length));
    at += length;
  };
  if (codec === 'h265') {
    const arrays = byte();
    for (let array = 0; array < arrays; array += 1) {
      byte();
      const count = (byte() << 8) | byte();
      for (let index = 0; index < count; index += 1) take();
    }
    return { lengthBytes: ((config[21] ?? 0) & 3) + 1, sets };
  }
  const sequenceSets = byte() & 0x1f;
  for (let index = 0; index < sequenceSets; index += 1) take();
  const pictureSets = byte();
  for (let index = 0; index < pictureSets; index += 1) take();
  return { lengthBytes: ((config[4] ?? 0) & 3) + 1, sets };
}
