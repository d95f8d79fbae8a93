import { Type, type Static } from 'typebox';
import { Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';
import { StreamKind } from '#api/devices/schema.ts';

/** Asks for a live picture. `canDecodeH265` is what the browser says of itself. */
export const LiveRequest = Shape({ stream: StreamKind, canDecodeH265: Type.Boolean() });
export type LiveRequest = Static<typeof LiveRequest>;
export const LiveSession = Shape({
  playlistUrl: Type.String(),
  stream: StreamKind,
  sourceCodec: Type.String(),
  isTranscoded: Type.Boolean({
    description: 'The picture is re-encoded because the browser cannot decode the camera',
  }),
  startedAt: Instant,
});
export type LiveSession = Static<typeof LiveSession>;
/** How a live stream is; the console shows it in place of a dead picture. */
export const LiveStatus = Shape({
  state: OneOf(['starting', 'playing', 'failed']),
  reason: OrNull(Type.String()),
  viewers: Type.Integer(),
});
