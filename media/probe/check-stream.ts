import type { Clock } from '../clock.ts';
import { pause } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { checkedUrl, type StreamSource } from '../source.ts';
import { pictureFromCamera, pictureFromRecorder, type Picture } from './keyframe.ts';
import { describeStream } from './rtsp.ts';
import type { OfferedMedium } from './sdp.ts';
import { openTcp } from './tcp.ts';

/** One step of a check; later steps need the earlier ones. */
export type CheckLayerName = 'tcp' | 'rtsp' | 'keyframe' | 'decode';

export interface CheckLayer {
  layer: CheckLayerName;
  ok: boolean;
  durationMs: number;
  /** Why it failed; only where `ok` is false. */
  error?: MediaError;
}

export interface StreamCheck {
  /** In order, up to and including the first that failed: what was not tried is not listed. */
  layers: CheckLayer[];
  /** What the camera offers, if it said so. */
  media?: OfferedMedium[];
  picture?: Picture;
}

const STALE_MS = 20_000;
const WAIT_MS = 200;

/**
 * Checks a stream from the cable to the picture. TCP and DESCRIBE take no session on the camera. Where a recorder pulls the
 * stream, its newest key frame is decoded and no session is opened; else one is opened for about a second. Failures are
 * results, not exceptions.
 * @param options.deadlineMs for each layer
 * @throws MediaError `cancelled`, `tool-missing`, `not-supported` (not an RTSP address)
 */
export async function checkStream(
  target: { source: StreamSource; recorder?: Recorder },
  options: { deadlineMs: number; signal?: AbortSignal; clock: Clock; log: Log },
): Promise<StreamCheck> {
  const { source, recorder } = target;
  const url = checkedUrl(source);
  const result: StreamCheck = { layers: [] };
  const attempt = async (layer: CheckLayerName, work: () => Promise<void>): Promise<boolean> => {
    const startedAt = options.clock.monotonic();
    const spent = () => Math.round(options.clock.monotonic() - startedAt);
    try {
      await work();
      result.layers.push({ layer, ok: true, durationMs: spent() });
      return true;
    } catch (error) {
      if (!(error instanceof MediaError) || error.code === 'cancelled' || error.code === 'tool-missing')
        throw error;
      // A picture that came but does not decode passed the layer before.
      const isDecode = layer === 'keyframe' && error.code === 'bad-output';
      if (isDecode) result.layers.push({ layer: 'keyframe', ok: true, durationMs: spent() });
      result.layers.push({ layer: isDecode ? 'decode' : layer, ok: false, durationMs: spent(), error });
      return false;
    }
  };

  const isReached = await attempt('tcp', async () => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    (await openTcp({ host, port: Number(url.port || 554), ...options })).destroy();
  });
  if (!isReached) return result;
  const isOffered = await attempt('rtsp', async () => {
    const { media } = await describeStream(source, options);
    result.media = media;
    if (!media.some((medium) => medium.kind === 'video'))
      throw new MediaError('no-media', 'the stream offers no video');
  });
  if (!isOffered) return result;
  let picture: Picture | undefined;
  const isDecoded = await attempt('keyframe', async () => {
    picture = recorder ? await fromRecorder(recorder, options) : await pictureFromCamera(source, options);
  });
  if (!isDecoded || !picture) return result;
  result.layers.push({ layer: 'decode', ok: true, durationMs: 0 });
  result.picture = picture;
  return result;
}

/** Waits for the recorder's first picture; a recorder that waits to start again says why. */
async function fromRecorder(
  recorder: Recorder,
  options: { deadlineMs: number; signal?: AbortSignal; clock: Clock; log: Log },
): Promise<Picture> {
  const { clock, signal } = options;
  const giveUpAt = clock.monotonic() + options.deadlineMs;
  for (;;) {
    const state = recorder.state();
    if (state.name === 'stopped') throw new MediaError('no-media', 'recording is stopped');
    if (state.name === 'waiting' || state.name === 'disk-full') throw state.cause;
    try {
      const picture = await pictureFromRecorder(recorder, options);
      const ageMs = picture.takenAt === undefined ? 0 : clock.now() - picture.takenAt;
      if (ageMs > STALE_MS) throw new MediaError('timeout', 'the newest picture is old', { ageMs });
      return picture;
    } catch (error) {
      if (!(error instanceof MediaError) || error.code !== 'no-media' || clock.monotonic() > giveUpAt)
        throw error;
      await pause(clock, WAIT_MS, signal);
      if (signal?.aborted) throw new MediaError('cancelled', 'the check was cancelled', {}, { cause: error });
    }
  }
}
