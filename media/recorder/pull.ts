import { statfs } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { isMediaError, MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { describeStream } from '../probe/rtsp.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { startFfmpeg, type FfmpegProgress } from '../process/ffmpeg.ts';
import type { StreamSource } from '../source.ts';
import { toWall, type MediaMs, type WallMs } from '../time.ts';
import type { ClosedSegment } from './close-segment.ts';
import { keyFrameLines } from './key-frame-lines.ts';
import { judgeProgress, type ProgressJudge } from './progress-judge.ts';
import { pullCommand, type AudioMode } from './pull-command.ts';
import { advanceAnchor, type RunAnchor } from './run-anchor.ts';
import { createSegmentWriter, type OpenSegment } from './segment-writer.ts';

/** A run's place on the wall clock as the server stores it: `wall = media + offsetMs` from `mediaMs` on. */
export interface AnchorFact {
  runId: string;
  mediaMs: MediaMs;
  wallAt: WallMs;
  offsetMs: number;
  /** False in the first ten seconds: it may still move back by a camera's start-up burst. */
  isSettled: boolean;
  /** Our own clock was set by this many ms just now; 0 otherwise. */
  clockStepMs: number;
}

export interface PullEvents {
  /** The first picture of the run arrived. */
  onMedia: () => void;
  onOpened: (segment: OpenSegment) => void;
  onClosed: (segment: ClosedSegment) => void;
  /** At the first picture, when settled, at each clock step, and whenever the offset moved by 100 ms since the last. */
  onAnchor: (anchor: AnchorFact) => void;
}

const DESCRIBE_DEADLINE_MS = 8_000;
const TICK_MS = 1_000;
/** Added to the stall limit until the first picture: connecting, probing and waiting for a key frame take time. */
const START_GRACE_MS = 10_000;
const ANCHOR_STEP_MS = 100;
const FREE_BYTES = 32_000_000;
/** After a jump of the camera's clock, media up to this long after the last sound key frame is still kept. */
const SOUND_SLACK_MS = 5_000;

/**
 * One run of one pull: from connecting to the camera until it stops, stalls or is aborted. Returns only after ffmpeg is gone
 * and its last file is closed; returns normally when aborted.
 * @throws MediaError why the run ended: `unreachable`, `timeout`, `unauthorized`, `rejected`, `not-supported` (codec),
 *   `no-media`, `no-space`, `tool-missing`
 */
export async function runPull(
  options: {
    source: StreamSource;
    dir: string;
    runId: string;
    segmentMs: number;
    stallMs: number;
    isFlat: boolean;
    clock: Clock;
    log: Log;
    signal: AbortSignal;
  } & PullEvents,
): Promise<void> {
  const { source, dir, runId, segmentMs, stallMs, clock, log, signal } = options;
  const disk = await statfs(dir);
  if (disk.bavail * disk.bsize < FREE_BYTES)
    throw new MediaError('no-space', 'less than 32 MB are free', { dir });
  let offer: Offer;
  try {
    offer = await askForCodecs(source, signal, log);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  if (offer.note !== undefined) log.warn({ runId }, offer.note);

  let anchor: RunAnchor | undefined;
  let announced: AnchorFact | undefined;
  let judge: ProgressJudge | undefined;
  let cause: MediaError | undefined;
  let frames = 0;
  let newestKey: MediaMs | undefined;
  let soundKey: MediaMs | undefined;
  let newsAt = clock.monotonic();
  const readKeyFrame = keyFrameLines();
  const writer = createSegmentWriter({ ...options, offsetMs: () => anchor?.offsetMs ?? clock.now() });

  const announce = (media: MediaMs) => {
    if (!anchor) return;
    const { offsetMs, isSettled, clockStepMs } = anchor;
    const isNews = !announced || announced.isSettled !== isSettled || clockStepMs !== 0;
    if (!isNews && Math.abs(offsetMs - (announced?.offsetMs ?? 0)) < ANCHOR_STEP_MS) return;
    announced = { runId, mediaMs: media, wallAt: toWall(media, offsetMs), offsetMs, isSettled, clockStepMs };
    options.onAnchor(announced);
  };

  const onLine = (line: string) => {
    const media = readKeyFrame(line);
    if (media === undefined) {
      writer.onListLine(line);
      return;
    }
    newsAt = clock.monotonic();
    anchor = advanceAnchor(anchor, { mediaMs: media, wallAt: clock.now(), monotonicMs: newsAt });
    if (newestKey === undefined) options.onMedia();
    newestKey = media;
    announce(media);
  };

  const onProgress = (progress: FfmpegProgress) => {
    if (!progress.frames || progress.outTimeMs === undefined || progress.frames === frames) return;
    frames = progress.frames;
    newsAt = clock.monotonic();
    judge = judgeProgress(judge, { monotonicMs: newsAt, outTimeMs: progress.outTimeMs, frames });
    if (judge.isSound) soundKey = newestKey;
    if (judge.verdict === 'ok') return;
    cause ??= new MediaError('protocol', `the camera's time stamps ${judge.verdict.replace('-', ' ')}`);
    void ffmpeg.stop();
  };

  const ffmpeg = startFfmpeg(pullCommand({ source, ...offer, dir, runId, segmentMs }), {
    signal,
    log,
    onLine,
    onProgress,
  });

  let cancelTick: (() => void) | undefined;
  const tick = () => {
    const quietMs = clock.monotonic() - newsAt;
    if (quietMs > (newestKey === undefined ? stallMs + START_GRACE_MS : stallMs)) {
      cause ??= new MediaError('no-media', `no picture for ${Math.round(quietMs / 1000)} s`, { quietMs });
      void ffmpeg.stop();
    }
    cancelTick = clock.after(TICK_MS, tick);
  };
  tick();

  try {
    const end = await ffmpeg.done;
    cause ??= errorFromStderr(end.stderr, { code: 'no-media', message: 'the stream ended' });
  } catch (error) {
    if (!isMediaError(error)) throw error;
    cause ??= error;
  } finally {
    cancelTick?.();
    const hasJumped = judge !== undefined && judge.verdict !== 'ok';
    await writer.finish(hasJumped ? (soundKey ?? 0) + SOUND_SLACK_MS : undefined);
  }
  if (!signal.aborted) throw cause;
}

interface Offer {
  codec: 'h264' | 'h265';
  audio: AudioMode;
  note?: string;
}

/** Asks the camera what it offers: precise errors before ffmpeg starts, and what to do with the sound. */
async function askForCodecs(source: StreamSource, signal: AbortSignal, log: Log): Promise<Offer> {
  let media;
  try {
    ({ media } = await describeStream(source, { deadlineMs: DESCRIBE_DEADLINE_MS, signal }));
  } catch (error) {
    if (!isMediaError(error, 'protocol', 'too-large')) throw error;
    // ffmpeg may understand a camera that answers oddly; without a description the sound is not safe to keep.
    log.warn({ err: error }, 'the camera describes its stream oddly: pulling H.264 without sound');
    return { codec: 'h264', audio: 'none' };
  }
  const encoding = media.find((medium) => medium.kind === 'video')?.encoding;
  const codec = encoding === 'H264' ? 'h264' : encoding === 'H265' ? 'h265' : undefined;
  if (!codec)
    throw new MediaError(
      'not-supported',
      `the stream's video is ${encoding ?? 'missing'}, not H.264 or H.265`,
    );
  const sound = media.find((medium) => medium.kind === 'audio')?.encoding;
  if (sound === undefined) return { codec, audio: 'none' };
  if (sound === 'MPEG4-GENERIC') return { codec, audio: 'copy' };
  if (sound === 'PCMA' || sound === 'PCMU') return { codec, audio: 'transcode' };
  return { codec, audio: 'none', note: `the stream's sound (${sound}) cannot be kept` };
}
