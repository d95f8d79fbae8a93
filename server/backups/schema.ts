import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

const Name = Type.String({ minLength: 1, maxLength: 60 });
export const FolderConfig = Shape({
  path: Type.String({ pattern: '^/.', maxLength: 500, description: 'Of an existing folder on the server' }),
});
export type FolderConfig = Static<typeof FolderConfig>;
export const S3Config = Shape({
  endpoint: Type.String({ pattern: '^https?://[^/]+/?$', maxLength: 300 }),
  region: Type.String({ pattern: '^[a-zA-Z0-9-]{1,40}$', default: 'us-east-1' }),
  bucket: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' }),
  prefix: Type.String({
    pattern: '^([a-zA-Z0-9_-]+/)*$',
    maxLength: 200,
    description: 'Empty, or ends in /',
  }),
  isPathStyle: Type.Boolean({ description: 'Most servers but the cloud ones want the bucket in the path' }),
  accessKeyId: Type.String({ minLength: 1, maxLength: 200 }),
});
export type S3Config = Static<typeof S3Config>;

const secret = { secretAccessKey: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })) };
/** A target as it is set up; a secret left out of a change stays as it is. It is never sent back. */
export const TargetChange = Type.Union([
  Shape({ name: Name, kind: Type.Literal('folder'), config: FolderConfig }),
  Shape({ name: Name, kind: Type.Literal('s3'), config: S3Config, ...secret }),
]);
export type TargetChange = Static<typeof TargetChange>;
export const Target = Shape({
  id: Id,
  name: Name,
  kind: OneOf(['folder', 's3']),
  config: Type.Union([FolderConfig, S3Config]),
  state: OneOf(['unknown', 'ok', 'unreachable', 'slow', 'full', 'refused', 'not-mounted', 'no-bucket']),
  stateAt: OrNull(Instant),
  copies: Type.Integer(),
  copiedBytes: Type.Integer(),
});
export type Target = Static<typeof Target>;
export const TargetList = Shape({ targets: Type.Array(Target) });

const ChannelIds = OrNull(Type.Array(Id, { minItems: 1, maxItems: 1000 }));
export const PlanChange = Shape({
  targetId: Id,
  name: Name,
  schedule: OrNull(
    Type.String({ maxLength: 60, description: 'Five cron fields in the site zone; null: on demand' }),
  ),
  channelIds: ChannelIds,
  lastHours: Type.Integer({ minimum: 1, maximum: 24 * 366 }),
  isHeldOnly: Type.Boolean({ description: 'Only footage under a hold' }),
  isEnabled: Type.Boolean(),
});
export type PlanChange = Static<typeof PlanChange>;
export const Plan = Shape({
  id: Id,
  ...PlanChange.properties,
  targetName: Type.String(),
  copiedToAt: OrNull(Instant),
  nextRunAt: OrNull(Instant),
});
export type Plan = Static<typeof Plan>;
export const PlanList = Shape({ plans: Type.Array(Plan) });

export const CopyRequest = Shape({
  targetId: Id,
  channelIds: ChannelIds,
  fromAt: Instant,
  toAt: Instant,
  isHeldOnly: Type.Boolean(),
});
export const RestoreRequest = Shape({
  targetId: Id,
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  keepDays: Type.Integer({
    minimum: 1,
    maximum: 365,
    description: 'Held for so long, or it would go at once',
  }),
  reason: Type.String({ minLength: 2, maxLength: 500 }),
});
export const Run = Shape({
  id: Id,
  kind: OneOf(['copy', 'restore']),
  planId: OrNull(Id),
  planName: OrNull(Type.String()),
  targetId: Id,
  targetName: Type.String(),
  channelIds: OrNull(Type.Array(Id)),
  fromAt: Instant,
  toAt: Instant,
  isHeldOnly: Type.Boolean(),
  state: OneOf(['queued', 'running', 'waiting', 'done', 'failed', 'cancelled']),
  filesTotal: OrNull(Type.Integer()),
  bytesTotal: OrNull(Type.Integer()),
  filesDone: Type.Integer(),
  bytesDone: Type.Integer(),
  filesFailed: Type.Integer(),
  failures: Type.Array(Shape({ file: Type.String(), problem: Type.String() })),
  problem: OrNull(Type.String()),
  nextTryAt: OrNull(Instant),
  requestedByName: Type.String(),
  createdAt: Instant,
  finishedAt: OrNull(Instant),
});
export type Run = Static<typeof Run>;
export const RunList = Shape({ runs: Type.Array(Run) });
export const RunCreated = Shape({ id: Id });

/** Where copies of a channel's footage are, per target. */
export const CopySpansQuery = Shape({ channelId: Id, fromAt: Instant, toAt: Instant });
export const CopySpans = Shape({
  targets: Type.Array(
    Shape({
      targetId: Id,
      targetName: Type.String(),
      spans: Type.Array(Shape({ fromAt: Instant, toAt: Instant })),
      files: Type.Integer(),
      filesOnlyThere: Type.Integer({ description: 'Gone here: what a restore would bring' }),
    }),
  ),
});
export type CopySpans = Static<typeof CopySpans>;
