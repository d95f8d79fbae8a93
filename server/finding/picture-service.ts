import { createHash } from 'node:crypto';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { createOnceWithin } from '#api/auth/once-within.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import { checkRange, spanDetail, type By } from '#api/footage/service.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError } from '#media/errors.ts';
import { fullPicture, keyPictureJpeg } from '#media/thumbnails/decode.ts';
import type { FileCache } from '#media/thumbnails/file-cache.ts';
import { findKeyPlace, planFilm, spreadEvenly } from '#media/thumbnails/film-plan.ts';
import type { KeyPlace } from '#media/thumbnails/key-pictures.ts';
import type { SharedWork } from '#media/thumbnails/shared-work.ts';
import { wallMs } from '#media/time.ts';
import { thumbnailWidths } from './schema.ts';
import type { FootageSource, SpanMs } from './types.ts';

/** A group of pictures and some patience: what is older is on the disk. */
const writingMs = 8_000;
const longestFilmMs = 31 * 86_400_000 + 3_600_000;
/** Looking at pictures of a camera one after the other is one look for the trail. */
const auditWindowMs = 600_000;

export interface Thumbnail {
  readonly jpeg: Buffer;
  /** When the picture was taken, epoch ms. */
  readonly at: number;
}
export interface FilmPicture {
  readonly at: number;
  /** null: nothing was recorded at `at`. */
  readonly frameAt: number | null;
}
export interface Snapshot {
  readonly png: Buffer;
  readonly at: number;
  readonly sha256: string;
}

/** Single pictures out of the footage: thumbnails, filmstrips, and snapshots in full size. Instants are epoch ms. */
export function createPictureService(options: {
  footage: FootageSource;
  channels: ChannelSource;
  cache: FileCache;
  work: SharedWork<Buffer>;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}) {
  const { footage, channels, cache, work, audit, now, log } = options;
  const isFirst = createOnceWithin(auditWindowMs, now);

  async function noteLook(channelId: string, span: SpanMs, { actor, request }: By): Promise<void> {
    if (!isFirst(`${actor.sessionHash} ${channelId}`)) return;
    await audit.record({
      action: 'footage.pictures-viewed',
      actor,
      subjectType: 'channel',
      subjectId: channelId,
      detail: spanDetail(span),
      request,
    });
  }

  /** @throws AppError footage.none in a gap */
  async function placeAt(channelId: string, at: number, signal?: AbortSignal): Promise<KeyPlace> {
    await channels.get(channelId);
    const segments = await footage.listHere(channelId, { fromAt: at, toAt: at + 1 }, signal);
    const place = await findKeyPlace(segments, at);
    if (!place) throw new AppError('footage.none');
    return place;
  }

  return {
    /**
     * The key frame that shows `at`, at most as wide as the next of the widths on offer. From the cache where it was made before.
     * @throws AppError not-found, footage.none in a gap, unavailable when too many are being made
     */
    async thumbnail(
      ask: { channelId: string; at: number; width: number },
      by: By,
      signal?: AbortSignal,
    ): Promise<Thumbnail> {
      const { channelId, at } = ask;
      // The archive would wait for the future to be recorded.
      if (at > now()) throw new AppError('footage.none');
      const width = thumbnailWidths.find((each) => each >= ask.width) ?? thumbnailWidths[3];
      try {
        const place = await placeAt(channelId, at, signal);
        await noteLook(channelId, { fromAt: at, toAt: at }, by);
        const key = `${channelId}/${place.at}_${place.file.segment.runId}_${width}.jpg`;
        const known = await cache.get(key);
        if (known) return { jpeg: known, at: place.at };
        const make = async (stop: AbortSignal) => {
          const jpeg = await keyPictureJpeg(place, width, { signal: stop, log });
          await cache.put(key, jpeg);
          return jpeg;
        };
        return { jpeg: await work.run(key, make, signal), at: place.at };
      } catch (error) {
        throw asAppError(error);
      }
    },

    /**
     * `count` instants evenly spread over the range, each with the time of the key frame that shows it.
     * @throws AppError not-found, footage.range-invalid
     */
    async filmstrip(
      ask: SpanMs & { channelId: string; count: number },
      by: By,
      signal?: AbortSignal,
    ): Promise<FilmPicture[]> {
      checkRange(ask, longestFilmMs);
      await channels.get(ask.channelId);
      const instants = spreadEvenly(ask, ask.count);
      // The newest pictures are on their way to the disk; a strip does not wait for them.
      const toAt = Math.max(ask.fromAt + 1, Math.min(ask.toAt, now() - writingMs));
      const segments = await footage.listHere(ask.channelId, { fromAt: ask.fromAt, toAt }, signal);
      const cells = await planFilm(segments, instants);
      await noteLook(ask.channelId, ask, by);
      return cells.map(({ at, place }) => ({ at, frameAt: place?.at ?? null }));
    },

    /**
     * The picture shown at `at` as it was recorded, with its hash, which goes on the trail: a printed picture can be matched later.
     * @throws AppError not-found, footage.none
     */
    async snapshot(ask: { channelId: string; at: number }, by: By, signal?: AbortSignal): Promise<Snapshot> {
      try {
        const place = await placeAt(ask.channelId, ask.at, signal);
        const options = { ...(signal ? { signal } : {}), log };
        const { png, at } = await fullPicture(place, wallMs(ask.at), options);
        const sha256 = createHash('sha256').update(png).digest('hex');
        await audit.record({
          action: 'footage.snapshot-taken',
          actor: by.actor,
          subjectType: 'channel',
          subjectId: ask.channelId,
          detail: { at: new Date(at).toISOString(), sha256, sizeBytes: png.length },
          request: by.request,
        });
        return { png, at, sha256 };
      } catch (error) {
        throw asAppError(error);
      }
    },

    /** Drops from a cache what footage no longer has: deleted footage must not live on in small. Its keys are `<channel>/<instant>_…`. */
    async forgetDeleted(kept: FileCache): Promise<number> {
      const byChannel = new Map<string, number[]>();
      for (const key of kept.keys()) {
        const { channelId, at } = placeOf(key);
        byChannel.set(channelId, [...(byChannel.get(channelId) ?? []), at]);
      }
      const spans = new Map<string, readonly SpanMs[]>();
      for (const [channelId, times] of byChannel) {
        const fromAt = times.reduce((least, at) => Math.min(least, at), Infinity);
        const toAt = times.reduce((most, at) => Math.max(most, at), 0) + 1;
        spans.set(channelId, await footage.listSpans(channelId, { fromAt, toAt }));
      }
      return kept.dropWhere((key) => {
        const { channelId, at } = placeOf(key);
        // A channel that came to the cache while we looked is judged next time.
        const known = spans.get(channelId);
        return known !== undefined && !known.some((span) => span.fromAt <= at && at < span.toAt);
      });
    },
  };
}
export type PictureService = ReturnType<typeof createPictureService>;

function placeOf(key: string): { channelId: string; at: number } {
  const [channelId = '', name = ''] = key.split('/');
  return { channelId, at: Number.parseInt(name, 10) };
}

/** What making a picture can fail with, as the person is told. */
export function asAppError(error: unknown): unknown {
  if (isMediaError(error, 'rejected') && error.details.file === undefined)
    return new AppError('unavailable', { problem: 'too many pictures are being made' }, { cause: error });
  // The file went while we looked (retention), or the picture is damaged: there is nothing to show there.
  if (isMediaError(error, 'rejected', 'bad-output'))
    return new AppError('footage.none', undefined, { cause: error });
  // Nobody is there to be told any more; it must not look like a failure of the server.
  if (isMediaError(error, 'cancelled') || (error instanceof Error && error.name === 'AbortError'))
    return new AppError('footage.none', undefined, { cause: error });
  if (isMediaError(error, 'timeout')) return new AppError('unavailable', undefined, { cause: error });
  return error;
}
