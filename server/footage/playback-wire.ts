import { toWire } from '#api/clock.ts';
import { isTranscoded, type PlaybackSession } from './playback.ts';
import type { Playback } from './schema.ts';
import { toWireSpan } from './wire.ts';

/** A playback in the form the API gives it. */
export function toWirePlayback(session: PlaybackSession): Playback {
  const { footage, token } = session;
  return {
    playlistUrl: `/api/footage/playback/${token}/index.m3u8`,
    isTranscoded: isTranscoded(session),
    spans: footage.spans.map(({ source, ...span }) => ({ ...toWireSpan(span), source })),
    fromAt: toWire(footage.fromAt),
    toAt: toWire(footage.toAt),
    fetching: footage.progress === null ? null : { progress: footage.progress },
    problem: footage.problem,
  };
}
