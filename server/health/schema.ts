import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';
import { HealthState } from '#api/devices/schema.ts';

export const Layer = OneOf(['tcp', 'rtsp', 'keyframe', 'decode']);
export type Layer = Static<typeof Layer>;
/** One layer of one look. `error` is a media error code; `detail` a sentence for an engineer, without secrets. */
export const LayerResult = Shape({
  layer: Layer,
  isOk: Type.Boolean(),
  durationMs: OrNull(Type.Number()),
  error: OrNull(Type.String()),
  detail: OrNull(Type.String()),
});
export type LayerResult = Static<typeof LayerResult>;

/** What one look found. */
export const Verdict = OneOf(['ok', 'degraded', 'failed']);
export type Verdict = Static<typeof Verdict>;

export const Sample = Shape({
  at: Instant,
  verdict: Verdict,
  reason: OrNull(Type.String()),
  layers: Type.Array(LayerResult),
});
export type Sample = Static<typeof Sample>;

export const ChannelHealth = Shape({
  channelId: Id,
  state: HealthState,
  sinceAt: OrNull(Instant),
  reason: OrNull(Type.String()),
  checkedAt: OrNull(Instant),
  lastOkAt: OrNull(Instant),
  streakVerdict: OrNull(Verdict),
  streakCount: Type.Integer({ description: 'How many looks in a row had streakVerdict' }),
  samples: Type.Array(Sample, { description: 'Newest first, at most 50' }),
});
export type ChannelHealth = Static<typeof ChannelHealth>;

export const Fault = Shape({
  id: Id,
  channelId: Id,
  deviceId: Id,
  channelName: Type.String(),
  kind: OneOf(['channel-offline', 'channel-degraded']),
  reason: Type.String(),
  evidence: Type.Array(Sample),
  openedAt: Instant,
  recoveredAt: OrNull(Instant),
  ticketId: OrNull(Id),
});
export type Fault = Static<typeof Fault>;
export const FaultQuery = Shape({
  isOpen: Type.Optional(Type.Boolean()),
  channelId: Type.Optional(Id),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
});
export const FaultList = Shape({ faults: Type.Array(Fault) });
