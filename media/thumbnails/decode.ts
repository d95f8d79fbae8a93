import { Readable, Writable } from 'node:stream';
import { MediaError } from '../errors.ts';
import { fragmentRange } from '../hls/footage.ts';
import { readAt, type Fragment } from '../hls/fmp4.ts';
import { visitSamples, readTrackFragments } from '../hls/track-fragments.ts';
import { readBoxes } from '../hls/boxes.ts';
import type { Log } from '../log.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { runFfmpeg, type FfmpegEnd } from '../process/ffmpeg.ts';
import { words } from '../process/words.ts';
import type { WallMs } from '../time.ts';
import { openFootage, type KeyPlace, readKeyPicture } from './key-pictures.ts';

interface Options {
  signal?: AbortSignal;
  log: Log;
}

const DEADLINE_MS = 20_000;
const PICTURE_LIMIT_BYTES = 40_000_000;
const GROUP_LIMIT_BYTES = 64_000_000;

/**
 * One key frame as JPEG, at most `width` wide (never enlarged).
 * @throws MediaError `bad-output` (does not decode), `rejected` (the file is gone), `timeout`, `cancelled`, `tool-missing`
 */
export async function keyPictureJpeg(place: KeyPlace, width: number, options: Options): Promise<Buffer> {
  const input = await readKeyPicture(place);
  const scale = `scale='min(${Math.round(width)},iw)':-2:flags=area`;
  const { output, end } = await decode(
    input,
    rawFormat(place),
    [...words('-frames:v 1 -vf'), scale, ...words('-q:v 5 -f mjpeg')],
    options,
  );
  if (output.length < 4 || output.readUInt16BE(0) !== 0xffd8)
    throw errorFromStderr(end.stderr, { code: 'bad-output', message: 'the key frame does not decode' });
  return output;
}

/** Small grey pictures, one for each place in order; undefined where a key frame does not decode. */
export type GreyPictures = readonly (Uint8Array | undefined)[];

/**
 * Decodes nothing but the key frames, small and grey, many with one process. `size` is width and height of what comes back, whatever the shape of the
 * source. A key frame that does not decode is found by halving, so that one broken picture does not shift all after it.
 * @throws MediaError `rejected` (a file is gone), `timeout`, `cancelled`, `tool-missing`
 */
export async function greyPictures(
  places: readonly KeyPlace[],
  size: { width: number; height: number },
  options: Options,
): Promise<GreyPictures> {
  const first = places[0];
  if (!first) return [];
  const handle = await openFootage(first.file.segment.file);
  const inputs: (Buffer | undefined)[] = [];
  try {
    for (const place of places) {
      options.signal?.throwIfAborted();
      inputs.push(await readOrSkip(place, handle, options.log));
    }
  } finally {
    await handle.close();
  }
  const format = rawFormat(first);
  const pictureBytes = size.width * size.height;
  const found = Array.from({ length: places.length }, (): Uint8Array | undefined => undefined);
  const pending = [inputs.flatMap((data, index) => (data ? [{ data, index }] : []))];
  for (let batch = pending.pop(); batch; batch = pending.pop()) {
    if (batch.length === 0) continue;
    const { output } = await decode(
      Buffer.concat(batch.map((entry) => entry.data)),
      format,
      [
        ...words('-fps_mode passthrough -vf'),
        `scale=${size.width}:${size.height}:flags=area,format=gray`,
        ...words('-f rawvideo'),
      ],
      options,
    );
    if (output.length === batch.length * pictureBytes) {
      for (const [at, { index }] of batch.entries())
        found[index] = new Uint8Array(output.subarray(at * pictureBytes, (at + 1) * pictureBytes));
    } else if (batch.length > 1) {
      const half = batch.length >> 1;
      pending.push(batch.slice(0, half), batch.slice(half));
    }
  }
  return found;
}

/** A picture in full size, without loss. */
export interface FullPicture {
  readonly png: Buffer;
  readonly at: WallMs;
}

/**
 * The picture shown at `at`, key frame or not, in the size it was recorded: the last one taken at or before it in the group of pictures that begins
 * at `place`.
 * @throws MediaError `bad-output`, `rejected`, `timeout`, `cancelled`, `tool-missing`
 */
export async function fullPicture(place: KeyPlace, at: WallMs, options: Options): Promise<FullPicture> {
  const { file } = place;
  const last = lastFragmentOfGroup(place, at);
  const sizeBytes = last.offset + last.sizeBytes - place.fragment.offset;
  if (sizeBytes > GROUP_LIMIT_BYTES) throw new MediaError('too-large', 'the group of pictures is too large');
  const handle = await openFootage(file.segment.file);
  let media: Buffer;
  try {
    media = await readAt(handle, place.fragment.offset, sizeBytes);
  } finally {
    await handle.close();
  }
  const times = presentationTimes(media, file.init.video);
  const firstMs = times[0] ?? 0;
  const wanted = times.findLastIndex((time) => place.at + (time - firstMs) <= at + 1);
  const index = Math.max(0, wanted);
  const { output, end } = await decode(
    Buffer.concat([file.init.bytes, media]),
    'mp4',
    ['-vf', `select='eq(n,${index})'`, ...words('-frames:v 1 -fps_mode passthrough -c:v png -f image2pipe')],
    options,
  );
  if (output.length < 8 || output.readUInt32BE(0) !== 0x89504e47)
    throw errorFromStderr(end.stderr, { code: 'bad-output', message: 'the picture does not decode' });
  return { png: output, at: Math.round(place.at + (times[index] ?? firstMs) - firstMs) as WallMs };
}

/** A long group of pictures lies in several fragments; the one that holds `at`, or the group's last. */
function lastFragmentOfGroup({ file, fragment }: KeyPlace, at: WallMs): Fragment {
  const from = file.fragments.indexOf(fragment);
  const next = file.fragments.findIndex((each, index) => index > from && each.isKey);
  const group = file.fragments.slice(from, next === -1 ? undefined : next);
  return group.findLast((each) => fragmentRange(file, each).fromAt <= at) ?? fragment;
}

/** When each video picture of a group is shown, ascending, ms on the run's time line. */
function presentationTimes(media: Buffer, track: { id: number; timescale: number }): number[] {
  const times: number[] = [];
  for (const moof of readBoxes(media).filter((box) => box.type === 'moof')) {
    const part = readTrackFragments(media, moof).find((each) => each.trackId === track.id);
    if (!part) throw new MediaError('bad-output', 'a fragment without video');
    visitSamples(media, part, (sample) =>
      times.push(((sample.decodeTicks + sample.shiftTicks) * 1000) / track.timescale),
    );
  }
  return times.sort((a, b) => a - b);
}

const rawFormat = (place: KeyPlace) => (place.file.init.video.codec === 'h265' ? 'hevc' : 'h264');

async function readOrSkip(
  place: KeyPlace,
  handle: Awaited<ReturnType<typeof openFootage>>,
  log: Log,
): Promise<Buffer | undefined> {
  try {
    return await readKeyPicture(place, handle);
  } catch (error) {
    if (!(error instanceof MediaError) || error.code !== 'bad-output') throw error;
    log.debug({ file: place.file.segment.file, at: place.at, err: error }, 'a key frame could not be read');
    return undefined;
  }
}

async function decode(
  input: Buffer,
  format: string,
  options: readonly string[],
  { signal, log }: Options,
): Promise<{ output: Buffer; end: FfmpegEnd }> {
  const parts: Buffer[] = [];
  let received = 0;
  const sink = new Writable({
    write(part: Buffer, _encoding, done) {
      received += part.length;
      parts.push(part);
      done(received > PICTURE_LIMIT_BYTES ? new MediaError('too-large', 'the picture is too large') : null);
    },
  });
  const end = await runFfmpeg(
    {
      inputs: [{ source: Readable.from([input]), options: ['-threads', '1', '-f', format] }],
      outputs: [{ target: sink, options: ['-an', ...options] }],
    },
    { ...(signal ? { signal } : {}), deadlineMs: DEADLINE_MS, log },
  );
  return { output: Buffer.concat(parts), end };
}
