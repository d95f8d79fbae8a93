import type { ChannelSource } from '#api/footage/types.ts';
import { AppError } from '#api/errors.ts';
import type { Logger } from '#api/log.ts';
import type { Clock } from '#media/clock.ts';
import { checkStream } from '#media/probe/check-stream.ts';
import type { Recorder } from '#media/recorder/recorder.ts';
import type { Look } from './service.ts';

const layerDeadlineMs = 6_000;
/** A first picture that takes longer than this is a camera in trouble, though it still gives one. */
const slowPictureMs = 5_000;

/**
 * One look at a channel's main stream, layer by layer. Where it is recorded the newest recorded picture is decoded, so that the look opens no
 * session on the camera.
 */
export function createLook(options: {
  channels: ChannelSource;
  recorderOf: (channelId: string) => Recorder | undefined;
  clock: Clock;
  log: Logger;
}): (channelId: string, signal: AbortSignal) => Promise<Look> {
  const { channels, recorderOf, clock, log } = options;
  return async (channelId, signal) => {
    let source;
    try {
      ({ source } = await channels.getStream(channelId, 'main'));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'channel.no-picture') throw error;
      return { verdict: 'failed', reason: 'rtsp.not-supported', layers: [] };
    }
    const recorder = recorderOf(channelId);
    const check = await checkStream(
      { source, ...(recorder ? { recorder } : {}) },
      { deadlineMs: layerDeadlineMs, signal, clock, log },
    );
    const layers = check.layers.map(({ layer, ok, durationMs, error }) => ({
      layer,
      isOk: ok,
      durationMs,
      error: error?.code ?? null,
      detail: error?.message ?? null,
    }));
    const failed = layers.find((layer) => !layer.isOk);
    if (failed)
      return {
        verdict: failed.layer === 'decode' ? 'degraded' : 'failed',
        reason: `${failed.layer}.${failed.error ?? 'internal'}`,
        layers,
      };
    const isSlow = layers.some((layer) => layer.layer === 'keyframe' && layer.durationMs > slowPictureMs);
    return { verdict: isSlow ? 'degraded' : 'ok', reason: isSlow ? 'keyframe.slow' : null, layers };
  };
}
