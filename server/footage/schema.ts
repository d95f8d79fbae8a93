import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

const Channels = Type.Array(Id, { minItems: 1, maxItems: 64 });
export const Span = Shape({ fromAt: Instant, toAt: Instant });
export type Span = Static<typeof Span>;

/** What exists and what is missing, per channel, inside a range of at most 31 days. */
export const TimelineRequest = Shape({ channelIds: Channels, fromAt: Instant, toAt: Instant });
export const Gap = Shape({
  fromAt: Instant,
  toAt: Instant,
  cause: OrNull(
    Type.String({
      description: 'Code, as camera-lost, server-stopped, disk-full, recording-off; null: unknown',
    }),
  ),
});
export const ChannelTimeline = Shape({
  channelId: Id,
  spans: Type.Array(Span, { description: 'Recorded, merged, ascending' }),
  gaps: Type.Array(Gap),
  heldSpans: Type.Array(Span),
});
export type ChannelTimeline = Static<typeof ChannelTimeline>;
export const Timeline = Shape({ channels: Type.Array(ChannelTimeline) });

/** Days (site zone, YYYY-MM-DD) of a month that hold footage. */
export const DaysQuery = Shape({ channelId: Id, month: Type.String({ pattern: '^\\d{4}-\\d{2}$' }) });
export const Days = Shape({ days: Type.Array(Type.String()) });

export const PlaybackRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  canDecodeH265: Type.Boolean(),
});
export type PlaybackRequest = Static<typeof PlaybackRequest>;
export const Playback = Shape({
  playlistUrl: Type.String(),
  isTranscoded: Type.Boolean(),
  spans: Type.Array(Span),
});
export type Playback = Static<typeof Playback>;

const share = Type.Number({ minimum: 0, maximum: 1 });
const extent = Type.Number({ minimum: 0.005, maximum: 1 });
/** A rectangle of the picture as shares of its width and height, from the upper left corner. */
export const PictureRegion = Shape({ x: share, y: share, width: extent, height: extent });
export type PictureRegion = Static<typeof PictureRegion>;
const HiddenRegions = Type.Array(PictureRegion, { maxItems: 20 });
/**
 * `copy`: the recorded bytes, from the key frame before the asked start; `transcode`: exact to the frame, with time, camera and case in the
 * picture and regions hidden; `still`: the one picture in view at `fromAt`.
 */
export const ExportMode = OneOf(['copy', 'transcode', 'still']);
export type ExportMode = Static<typeof ExportMode>;
const mode = Type.Optional(ExportMode);
const hidden = Type.Optional(HiddenRegions);

export const ExportRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String({ minLength: 2, maxLength: 500 }),
  mode,
  hidden,
});
export type ExportRequest = Static<typeof ExportRequest>;
export const ExportResult = Shape({
  durationMs: Type.Number(),
  leadMs: Type.Number({ description: 'Footage before the asked start, back to its key frame' }),
  tailMs: Type.Number({
    description: 'Footage after the asked end: the last group of pictures is kept whole',
  }),
  covered: Type.Array(Span),
  gaps: Type.Array(Span),
  frameCount: Type.Integer(),
  videoCodec: Type.String(),
  hasAudio: Type.Boolean(),
  isDecodable: Type.Boolean(),
  ffmpegVersion: Type.Optional(OrNull(Type.String())),
  files: Type.Array(
    Shape({
      fileName: Type.String(),
      sizeBytes: Type.Integer(),
      sha256: Type.String(),
      durationMs: Type.Number(),
      crc32: Type.Optional(Type.Integer()),
      arguments: Type.Optional(
        Type.Array(Type.String(), {
          description: 'What ffmpeg was told: to make a transcode or still, to check a copy',
        }),
      ),
    }),
    {
      description:
        'More than one where the camera changed codec or picture size; ask for the others with ?part=2 …',
    },
  ),
});
/** A look at one picture before it is asked for, as for marking what is to be hidden. */
export const PreviewQuery = Shape({ channelId: Id, at: Instant });
export const ExportFileQuery = Shape({ part: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })) });
export type ExportResult = Static<typeof ExportResult>;
export const ExportState = OneOf(['queued', 'running', 'ready', 'failed', 'cancelled']);
export const Export = Shape({
  id: Id,
  channelId: Id,
  channelName: Type.String(),
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String(),
  requestedByName: Type.String(),
  mode: ExportMode,
  hidden: HiddenRegions,
  state: ExportState,
  progress: OrNull(Type.Number()),
  fileName: OrNull(Type.String()),
  sizeBytes: OrNull(Type.Integer()),
  sha256: OrNull(Type.String()),
  result: OrNull(ExportResult),
  error: OrNull(Type.String()),
  createdAt: Instant,
  finishedAt: OrNull(Instant),
});
export type Export = Static<typeof Export>;
export const ExportList = Shape({ exports: Type.Array(Export) });

export const HoldRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String({ minLength: 2, maxLength: 500 }),
  untilAt: Type.Optional(OrNull(Instant)),
});
export const Hold = Shape({
  id: Id,
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String(),
  createdByName: Type.String(),
  createdAt: Instant,
  untilAt: OrNull(Type.String({ description: 'When it ends by itself; null: only by hand' })),
  releasedAt: OrNull(Instant),
});
export type Hold = Static<typeof Hold>;
export const HoldList = Shape({ holds: Type.Array(Hold) });

/** Room for recordings. Unknown figures are null. */
export const StorageStatus = Shape({
  level: OneOf(['ok', 'warning', 'critical']),
  usedBytes: Type.Integer(),
  freeBytes: OrNull(Type.Integer()),
  limitBytes: OrNull(Type.Integer({ description: 'What recordings may use in all, by settings and disk' })),
  bytesPerDay: OrNull(Type.Number({ description: 'Measured over the last recorded hours' })),
  daysLeft: OrNull(Type.Number({ description: 'Until old footage must make room' })),
  oldestAt: OrNull(Instant),
  reason: OrNull(Type.String()),
});
export type StorageStatus = Static<typeof StorageStatus>;

const KeepDays = Type.Integer({ minimum: 1, maximum: 3650 });
/** A class of channels that are kept equally long; `minDays` must not exceed `maxDays`. */
export const RetentionClassChange = Shape({
  name: Type.String({ minLength: 1, maxLength: 40 }),
  minDays: KeepDays,
  maxDays: KeepDays,
});
export type RetentionClassChange = Static<typeof RetentionClassChange>;
export const RetentionClassMembers = Shape({
  channelIds: Type.Array(Id, { minItems: 1, maxItems: 1000 }),
});
export const RetentionClass = Shape({
  id: Id,
  name: Type.String(),
  minDays: KeepDays,
  maxDays: KeepDays,
  isDefault: Type.Boolean(),
  channelIds: Type.Array(Id),
  usedBytes: Type.Integer({ description: 'Finished recording files of its channels' }),
  bytesPerDay: OrNull(
    Type.Number({ description: 'Measured over the last 24 h; null: nothing was recorded' }),
  ),
  expectedDays: OrNull(
    Type.Number({ description: 'How far back its footage will reach once the room is used up' }),
  ),
  oldestAt: OrNull(Instant),
});
export type RetentionClass = Static<typeof RetentionClass>;
export const Keeping = Shape({
  classes: Type.Array(RetentionClass),
  expiringHolds: Type.Array(Hold, { description: 'In force, and over within three days' }),
});
export type Keeping = Static<typeof Keeping>;

/** Site days, both included, at most 31. */
export const SiteDay = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });
export const ContinuityQuery = Shape({
  from: SiteDay,
  to: SiteDay,
  channelId: Type.Optional(Id),
});
export const ContinuityCsvQuery = Shape({
  ...ContinuityQuery.properties,
  language: Type.Optional(OneOf(['zh-CN', 'en'])),
});
export const ContinuityDay = Shape({
  channelId: Id,
  channelName: Type.String(),
  day: Type.String(),
  recordedMs: Type.Integer(),
  missingMs: Type.Integer({
    description: 'Not recorded although it should have been, or gone before its time',
  }),
  excusedMs: Type.Integer({ description: 'Recording off, not begun yet, or deleted when its time had come' }),
  longestGapMs: Type.Integer({ description: 'Of what is missing' }),
  causes: Type.Array(Shape({ cause: OrNull(Type.String()), totalMs: Type.Integer() }), {
    description: 'Of all that is not there, longest first; null: unknown',
  }),
});
export type ContinuityDay = Static<typeof ContinuityDay>;
export const Continuity = Shape({ days: Type.Array(ContinuityDay) });
