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
export const FootageSource = OneOf(['own', 'device', 'copy']);
/** What one source has of a channel: our recordings, the device's own (an NVR's disk, a card), a copy. */
export const TimelineSource = Shape({
  source: FootageSource,
  spans: Type.Array(Span),
  state: OneOf(['current', 'stale', 'unknown']),
  askedAt: OrNull(Instant),
  clockSkewMs: OrNull(
    Type.Integer({ description: "The device's clock minus ours, by which its times were corrected" }),
  ),
  problem: OrNull(Type.String({ description: 'Error code of the last asking, if it failed' })),
});
export const ChannelTimeline = Shape({
  channelId: Id,
  spans: Type.Array(Span, { description: 'Can be played from any source; merged, ascending' }),
  gaps: Type.Array(Gap, { description: 'What no source has' }),
  heldSpans: Type.Array(Span),
  sources: Type.Array(TimelineSource),
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
  focusAt: Type.Optional(Instant),
});
export type PlaybackRequest = Static<typeof PlaybackRequest>;
export const Playback = Shape({
  playlistUrl: Type.String({ description: 'Answers once footage that must be fetched is there' }),
  isTranscoded: Type.Boolean(),
  spans: Type.Array(Shape({ fromAt: Instant, toAt: Instant, source: FootageSource })),
  fromAt: Instant,
  toAt: Type.String({
    format: 'date-time',
    description:
      'Where this playback ends: sooner than asked when more would have to be fetched from a device',
  }),
  fetching: OrNull(
    Shape({ progress: Type.Number({ description: '0 to 1; ask again at the playlist’s folder' }) }),
  ),
  problem: OrNull(Type.String({ description: 'Error code, when a device could not give its part' })),
});
export type Playback = Static<typeof Playback>;

export const ExportRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String({ minLength: 2, maxLength: 500 }),
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
  sources: Type.Optional(
    Type.Array(
      Shape({
        fromAt: Instant,
        toAt: Instant,
        source: FootageSource,
        clockSkewMs: OrNull(Type.Integer()),
      }),
      { description: 'Which source each stretch was taken from' },
    ),
  ),
  deviceProblem: Type.Optional(
    Type.String({ description: 'Error code, when the device could not give its part' }),
  ),
  files: Type.Array(
    Shape({
      fileName: Type.String(),
      sizeBytes: Type.Integer(),
      sha256: Type.String(),
      durationMs: Type.Number(),
    }),
    {
      description:
        'More than one where the camera changed codec or picture size; ask for the others with ?part=2 …',
    },
  ),
});
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
});
export const Hold = Shape({
  id: Id,
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  reason: Type.String(),
  createdByName: Type.String(),
  createdAt: Instant,
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
