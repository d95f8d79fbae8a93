import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

/** Widths a thumbnail can have, px; others are answered with the next larger. */
export const thumbnailWidths = [160, 320, 640, 1280] as const;

/** The key frame shown at an instant, as JPEG; `x-picture-at` of the answer tells when it was taken. */
export const FrameQuery = Shape({
  channelId: Id,
  at: Instant,
  width: Type.Optional(Type.Integer({ minimum: 32, maximum: 1280, default: 320 })),
});

/** `count` pictures evenly spread over a range of at most 31 days. */
export const FilmstripRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  count: Type.Integer({ minimum: 1, maximum: 60 }),
});
export const FilmCell = Shape({
  at: Type.Unsafe<string>({ ...Instant, description: 'The middle of the part of the range it stands for' }),
  frameAt: OrNull(Instant),
  url: OrNull(Type.String({ description: 'null: nothing was recorded at that instant' })),
});
export type FilmCell = Static<typeof FilmCell>;
export const Filmstrip = Shape({ cells: Type.Array(FilmCell) });

/** The picture shown at an instant, in full size as PNG; on the trail with its SHA-256. */
export const SnapshotRequest = Shape({ channelId: Id, at: Instant });

const Share = Type.Number({ minimum: 0, maximum: 1 });
/** When did an area of the picture change? Answered line by line (NDJSON) while it is worked out; closing the connection ends the work. */
export const ChangesRequest = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  area: Type.Array(Shape({ x: Share, y: Share }), {
    minItems: 3,
    maxItems: 32,
    description: 'Corners of the area, shares of the picture from its top left',
  }),
});
export type ChangesRequest = Static<typeof ChangesRequest>;
export const ChangeMoment = Shape({
  name: Type.Literal('moment'),
  fromAt: Instant,
  toAt: Instant,
  peakAt: Instant,
  share: Type.Number({ description: 'Largest share of the area that changed, 0..1' }),
  isWholePicture: Type.Boolean({ description: 'A light was switched, or the camera turned' }),
});
export type ChangeMoment = Static<typeof ChangeMoment>;
export const ChangeLine = Type.Union([
  ChangeMoment,
  Shape({ name: Type.Literal('progress'), doneAt: Instant, share: Type.Number() }),
  Shape({
    name: Type.Literal('end'),
    pictures: Type.Integer(),
    unreadable: Type.Integer({
      description: 'Key frames that could not be decoded, and so were not compared',
    }),
    decoded: Type.Integer({ description: 'Pictures that were not remembered from an earlier question' }),
    isCut: Type.Boolean({ description: 'There were more moments than are told' }),
  }),
  Shape({ name: Type.Literal('failed'), code: Type.String(), message: Type.String() }),
]);
export type ChangeLine = Static<typeof ChangeLine>;

const Note = Type.String({ minLength: 1, maxLength: 500, pattern: '\\S' });
export const BookmarkRequest = Shape({ channelId: Id, fromAt: Instant, toAt: OrNull(Instant), note: Note });
export const Bookmark = Shape({
  id: Id,
  channelId: Id,
  fromAt: Instant,
  toAt: OrNull(Instant),
  note: Type.String(),
  createdByName: Type.String(),
  createdAt: Instant,
  isOwn: Type.Boolean(),
});
export type Bookmark = Static<typeof Bookmark>;

export const CameraGroupRequest = Shape({
  name: Type.String({ minLength: 1, maxLength: 60, pattern: '\\S' }),
  channelIds: Type.Array(Id, { minItems: 1, maxItems: 16, uniqueItems: true }),
});
export const CameraGroup = Shape({ id: Id, name: Type.String(), channelIds: Type.Array(Id) });
export type CameraGroup = Static<typeof CameraGroup>;
export const CameraGroupList = Shape({ groups: Type.Array(CameraGroup) });

export const eventKinds = ['fault', 'ticket', 'motion', 'alarm', 'tamper', 'video-loss', 'bookmark'] as const;
export const EventKind = OneOf(eventKinds);
export type EventKind = Static<typeof EventKind>;
/** What happened at cameras in a range of at most 31 days: faults, tickets, what cameras noticed, bookmarks. */
export const EventsRequest = Shape({
  channelIds: Type.Array(Id, { minItems: 1, maxItems: 64 }),
  fromAt: Instant,
  toAt: Instant,
});
export const FootageEvent = Shape({
  id: Id,
  channelId: Id,
  kind: EventKind,
  fromAt: Instant,
  toAt: OrNull(Type.Unsafe<string>({ ...Instant, description: 'null: goes on, or its end is not known' })),
  text: Type.String({
    description: 'Code of a fault’s reason, title of a ticket, note of a bookmark, else empty',
  }),
  byName: OrNull(Type.String()),
  isOwn: Type.Boolean({ description: 'A bookmark that the asker may delete' }),
});
export type FootageEvent = Static<typeof FootageEvent>;
export const FootageEvents = Shape({
  events: Type.Array(FootageEvent, { description: 'Newest first' }),
  isCut: Type.Boolean({ description: 'There are more in the range than are told; ask for a shorter one' }),
});
