/** An instant on the wall clock, in epoch milliseconds. */
export type WallMs = number & { readonly __time: 'wall' };

/** A point on one recording run's own time line, in milliseconds; it means nothing outside that run. */
export type MediaMs = number & { readonly __time: 'media' };

/** Marks epoch milliseconds as wall time. */
export const wallMs = (ms: number): WallMs => ms as WallMs;

/** Marks milliseconds on a run's time line as media time. */
export const mediaMs = (ms: number): MediaMs => ms as MediaMs;

/** Turns media time into wall time with a run's offset (`wall = media + offsetMs`). */
export const toWall = (media: MediaMs, offsetMs: number): WallMs => wallMs(Math.round(media + offsetMs));

/** Turns wall time into media time with a run's offset. */
export const toMedia = (wall: WallMs, offsetMs: number): MediaMs => mediaMs(wall - offsetMs);
