import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMediaError, MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { startFfmpeg } from '../process/ffmpeg.ts';
import { words } from '../process/words.ts';
import { closeSegment, type ClosedSegment } from '../recorder/close-segment.ts';
import { FIRST_PACKET, segmentOutput } from '../recorder/pull-command.ts';
import { newRunId, partName } from '../recorder/segment-names.ts';
import type { StreamSource } from '../source.ts';
import { openFfmpegFeed, type FfmpegFeed } from './ffmpeg-feed.ts';
import { createCutter, createPictureReader, type ReplayPicture } from './pictures.ts';
import { writeReplaySdp } from './replay-sdp.ts';
import { openReplaySession, type ReplaySession } from './replay-session.ts';

export interface ReplayOptions {
  /** Address from GetReplayUri, with the device's log-in beside it. */
  source: StreamSource;
  /** In the device's own time. Whole groups of pictures are fetched: those whose key picture lies in the range. */
  fromDeviceAt: number;
  untilDeviceAt: number;
  /** Added to the device's time to get ours: minus its measured skew. Files are named and placed by ours. */
  clockOffsetMs: number;
  /** Files are put into day folders in it, as the recorder does. */
  dir: string;
  signal: AbortSignal;
  log: Log;
}

/** What a replay gave. */
export interface ReplayResult {
  /** In time order, one for each stretch without a hole. Empty: the device has nothing there. */
  segments: ClosedSegment[];
  /** True if the range was followed by more pictures, so that its last group is known to be whole. */
  isWhole: boolean;
  /** Pictures fetched. */
  pictureCount: number;
}

/** A group of pictures may reach this far behind the range's end; cameras that save bandwidth send a key picture in ten seconds. */
const LONGEST_GROUP_MS = 12_000;
/** More holes than this in one fetch is a device that answers nonsense. */
const STRETCHES_LIMIT = 64;
/** At 30 Mbit/s the double of five minutes. */
const LIMIT_BYTES = 2_000_000_000;
/** Even a device that ignores `Rate-Control: no` is done after the range's own length. */
const slowestMs = (lengthMs: number) => Math.ceil(30_000 + 1.5 * (lengthMs + LONGEST_GROUP_MS));

/**
 * Fetches a range of a device's recording into files of the recorder's form. Each picture is placed by the time the device itself
 * recorded with it, never by when it arrives. Only finished files stay behind, whatever happens.
 * @throws MediaError those of openReplaySession; `bad-output` (ffmpeg kept nothing of what came), `no-space`, `tool-missing`
 */
export async function fetchReplay(options: ReplayOptions): Promise<ReplayResult> {
  const { untilDeviceAt } = options;
  const result: ReplayResult = { segments: [], isWhole: false, pictureCount: 0 };
  let fromDeviceAt = options.fromDeviceAt;
  await mkdir(options.dir, { recursive: true });
  const deadline = AbortSignal.timeout(slowestMs(untilDeviceAt - fromDeviceAt));
  const signal = AbortSignal.any([options.signal, deadline]);
  try {
    for (let count = 0; count < STRETCHES_LIMIT && fromDeviceAt < untilDeviceAt; count += 1) {
      const stretch = await fetchStretch({ ...options, fromDeviceAt, signal });
      if (stretch.segment) result.segments.push(stretch.segment);
      result.pictureCount += stretch.pictureCount;
      result.isWhole = stretch.isWhole;
      if (stretch.resumesAt === undefined || stretch.resumesAt <= fromDeviceAt) break;
      fromDeviceAt = stretch.resumesAt;
    }
    return result;
  } catch (error) {
    for (const { file } of result.segments) await rm(file, { force: true });
    if (deadline.aborted && !options.signal.aborted)
      throw new MediaError('timeout', 'the device replays too slowly', {}, { cause: error });
    throw error;
  }
}

interface Stretch {
  segment: ClosedSegment | undefined;
  pictureCount: number;
  isWhole: boolean;
  /** Device time of the first picture behind a hole. */
  resumesAt: number | undefined;
}

async function fetchStretch(options: ReplayOptions): Promise<Stretch> {
  const { source, fromDeviceAt, untilDeviceAt, signal } = options;
  const session = await openReplaySession({
    source,
    fromDeviceAt,
    untilDeviceAt: untilDeviceAt + LONGEST_GROUP_MS,
    limitBytes: LIMIT_BYTES,
    signal,
  });
  const stretch: Stretch = { segment: undefined, pictureCount: 0, isWhole: false, resumesAt: undefined };
  let writer: PictureWriter | undefined;
  const first: ReplayPicture[] = [];
  try {
    const cut = createCutter({ fromDeviceAt, untilDeviceAt });
    for await (const picture of picturesOf(session)) {
      const decision = cut(picture);
      if (decision === 'skip') continue;
      if (decision === 'complete') stretch.isWhole = true;
      if (decision === 'gap') stretch.resumesAt = picture.deviceAt;
      if (decision !== 'keep') break;
      stretch.pictureCount += 1;
      if (!writer) {
        first.push(picture);
        if (first.length < LOOK_AHEAD) continue;
        writer = await openPictureWriter(session, first, options);
      } else await writer.write(picture);
    }
    if (first.length > 0) writer ??= await openPictureWriter(session, first, options);
    stretch.segment = await writer?.finish();
    return stretch;
  } finally {
    await Promise.all([session.close(), writer?.close()]);
  }
}

async function* picturesOf(session: ReplaySession): AsyncGenerator<ReplayPicture, void, void> {
  const reader = createPictureReader(session.video.codec);
  for await (const packet of session.packets()) yield* reader.push(packet);
  yield* reader.end();
}

interface PictureWriter {
  write(picture: ReplayPicture): Promise<void>;
  finish(): Promise<ClosedSegment | undefined>;
  close(): Promise<void>;
}

/** Pictures looked at before ffmpeg is started, to see whether they come out of order. */
const LOOK_AHEAD = 8;
/** Without B-pictures: the first packet, which ffmpeg leaves without a time, begins at 0; decode times need no lead. */
const FIRST_IN_ORDER =
  'setts=pts=if(eq(N\\,0)*eq(PTS\\,NOPTS)\\,0\\,PTS):dts=if(eq(N\\,0)*eq(PTS\\,NOPTS)\\,0\\,DTS)';

/** RTP's video clock; the first picture's time in it. Not 0: ffmpeg takes that for "no time". */
const TICKS_PER_MS = 90;
const FIRST_TICKS = 90_000;

/**
 * One ffmpeg that copies pictures into one fragmented file, `ahead` being the first of them. The RTP clock it sees is the device's wall
 * clock, counted from the first.
 */
async function openPictureWriter(
  session: ReplaySession,
  ahead: readonly ReplayPicture[],
  { dir, clockOffsetMs, signal, log }: ReplayOptions,
): Promise<PictureWriter> {
  const { video } = session;
  const [first] = ahead as [ReplayPicture];
  const isInOrder = ahead.every((picture, index) => picture.deviceAt >= (ahead[index - 1]?.deviceAt ?? 0));
  const runId = newRunId(first.deviceAt + clockOffsetMs);
  const part = join(dir, partName(runId, 0));
  const feed: FfmpegFeed = await openFfmpegFeed(writeReplaySdp(video, { withSetup: !first.hasParameters }));
  // One file: a stretch is far shorter than a day.
  const output = segmentOutput({ dir, runId, segmentMs: 86_400_000, codec: video.codec });
  const ffmpeg = startFfmpeg(
    {
      inputs: [
        {
          source: feed.url,
          options: words('-copyts -rtsp_transport tcp -timeout 20000000 -fpsprobesize 0'),
        },
      ],
      outputs: [
        {
          target: output.target,
          options: [
            '-map',
            '0:v:0',
            '-c:v',
            'copy',
            '-bsf:v',
            isInOrder ? FIRST_IN_ORDER : FIRST_PACKET,
            ...output.options,
          ],
        },
      ],
    },
    { signal, log },
  );
  // A start that fails must not wait for a connection that never comes; the rejection itself is read where `done` is awaited.
  const ended = ffmpeg.done.then(
    () => feed.close(),
    () => feed.close(),
  );

  async function close(): Promise<void> {
    feed.close();
    await ffmpeg.stop();
    await ended;
    await rm(part, { force: true });
  }
  async function write(picture: ReplayPicture): Promise<void> {
    const ticks = FIRST_TICKS + Math.round((picture.deviceAt - first.deviceAt) * TICKS_PER_MS);
    for (const packet of picture.packets) {
      const own = Buffer.from(packet);
      own.writeUInt32BE(ticks >>> 0, 4);
      await feed.write(own);
    }
  }
  try {
    await Promise.race([
      feed.ready(),
      ffmpeg.done.then(({ stderr }) => {
        throw new MediaError('bad-output', 'ffmpeg did not take the replay', { stderr });
      }),
    ]);
    for (const picture of ahead) await write(picture);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    close,
    write,
    async finish() {
      feed.end();
      const { stderr } = await ffmpeg.done;
      if (stderr.some((line) => /No space left/i.test(line)))
        throw new MediaError('no-space', 'the disk is full');
      try {
        const segment = await closeSegment({
          part,
          dir,
          runId,
          offsetMs: ({ startMs }) => Promise.resolve(first.deviceAt + clockOffsetMs - startMs),
        });
        if (segment) return segment;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !isMediaError(error)) throw error;
        throw new MediaError('bad-output', 'ffmpeg kept nothing of the replay', { stderr }, { cause: error });
      }
      throw new MediaError('bad-output', 'ffmpeg kept nothing of the replay', { stderr });
    },
  };
}
