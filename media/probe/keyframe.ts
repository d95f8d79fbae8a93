import { open } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { MediaError } from '../errors.ts';
import { listFragments, readAt } from '../hls/fmp4.ts';
import type { Log } from '../log.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { runFfmpeg, type FfmpegEnd, type FfmpegInput } from '../process/ffmpeg.ts';
import type { AnchorFact } from '../recorder/pull.ts';
import type { ClosedSegment } from '../recorder/close-segment.ts';
import type { OpenSegment } from '../recorder/segment-writer.ts';
import { urlForFfmpeg, type StreamSource } from '../source.ts';
import { toWall, type WallMs } from '../time.ts';

/** A decoded key frame as evidence. */
export interface Picture {
  /** At most 640 wide. */
  jpeg: Buffer;
  /** From asking to having the decoded picture. */
  elapsedMs: number;
  /** When the camera showed it; undefined for a picture taken straight from the camera (then it is about now). */
  takenAt: WallMs | undefined;
}

interface Options {
  deadlineMs: number;
  signal?: AbortSignal;
  log: Log;
}

const JPEG_LIMIT_BYTES = 2_000_000;
/** Only an intra picture counts, never a grey one that lacks its reference. */
const PICTURE = "select='eq(pict_type,I)',scale='min(640,iw)':-2";
const JPEG = ['-frames:v', '1', '-an', '-vf', PICTURE, '-q:v', '5', '-f', 'mjpeg'];
/** One thread and no reordering give the first picture at once; `-skip_frame nokey` was slower by two groups of pictures. */
const AT_ONCE = ['-threads', '1', '-flags', 'low_delay'];

/**
 * Opens a session on the camera, waits for the first key frame and decodes it. Use pictureFromRecorder where the stream is
 * pulled anyway: cameras allow few sessions.
 * @throws MediaError `timeout` (no key frame in time), `unauthorized`, `unreachable`, `rejected`, `no-media`, `bad-output`
 *   (it came, but does not decode), `cancelled`, `tool-missing`
 */
export async function pictureFromCamera(source: StreamSource, options: Options): Promise<Picture> {
  const micros = String(options.deadlineMs * 1000);
  const network = ['-rtsp_transport', source.transport, '-timeout', micros, '-allowed_media_types', 'video'];
  const input = { source: urlForFfmpeg(source), options: [...AT_ONCE, ...network, '-fpsprobesize', '0'] };
  return { ...(await decodeOne(input, options)), takenAt: undefined };
}

/** The part of a recorder that a picture is taken from. */
export interface PictureSource {
  current(): OpenSegment | undefined;
  previous(): ClosedSegment | undefined;
  anchor(): AnchorFact | undefined;
}

/**
 * Decodes the newest key frame that a recorder has written, without asking the camera.
 * @throws MediaError `no-media` (nothing written yet), `bad-output` (does not decode), `timeout`, `cancelled`, `tool-missing`
 */
export async function pictureFromRecorder(recorder: PictureSource, options: Options): Promise<Picture> {
  const paths = [recorder.current()?.path(), recorder.previous()?.file];
  for (const path of paths) {
    const found = path === undefined ? undefined : await newestKeyFragment(path);
    if (!found) continue;
    const offsetMs = recorder.anchor()?.offsetMs;
    const picture = await decodeOne(
      { source: Readable.from([found.bytes]), options: [...AT_ONCE, '-f', 'mp4'] },
      options,
    );
    return { ...picture, takenAt: offsetMs === undefined ? undefined : toWall(found.startMs, offsetMs) };
  }
  throw new MediaError('no-media', 'the recorder has no picture yet');
}

async function newestKeyFragment(path: string) {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // not written yet, or just renamed
    throw error;
  }
  try {
    const list = await listFragments(file);
    const fragment = list?.fragments.findLast((each) => each.isKey);
    if (!list || !fragment) return undefined;
    const media = await readAt(file, fragment.offset, fragment.sizeBytes);
    return { bytes: Buffer.concat([list.init.bytes, media]), startMs: fragment.startMs };
  } finally {
    await file.close();
  }
}

async function decodeOne(input: FfmpegInput, options: Options): Promise<{ jpeg: Buffer; elapsedMs: number }> {
  const parts: Buffer[] = [];
  let received = 0;
  const sink = new Writable({
    write(part: Buffer, _encoding, done) {
      received += part.length;
      parts.push(part);
      done(received > JPEG_LIMIT_BYTES ? new MediaError('too-large', 'the picture is too large') : null);
    },
  });
  const end = await runFfmpeg({ inputs: [input], outputs: [{ target: sink, options: JPEG }] }, options);
  const jpeg = Buffer.concat(parts);
  const isWhole =
    jpeg.length > 4 && jpeg.readUInt16BE(0) === 0xffd8 && jpeg.readUInt16BE(jpeg.length - 2) === 0xffd9;
  if (!isWhole || hasDecodeErrors(end)) throw failed(end, isWhole);
  return { jpeg, elapsedMs: end.elapsedMs };
}

const hasDecodeErrors = (end: FfmpegEnd) =>
  end.stderr.some((line) =>
    /error while decoding|concealing|decode_slice|no frame!|Could not find ref|Error submitting/i.test(line),
  );

function failed(end: FfmpegEnd, hasPicture: boolean): MediaError {
  if (hasPicture || hasDecodeErrors(end)) {
    return new MediaError('bad-output', 'the key frame does not decode cleanly', { stderr: end.stderr });
  }
  return errorFromStderr(end.stderr, { code: 'no-media', message: 'no key frame came' });
}
