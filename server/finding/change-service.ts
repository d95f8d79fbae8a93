import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import { checkRange, spanDetail, type By } from '#api/footage/service.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError } from '#media/errors.ts';
import { readFootage, type FootageSegment } from '#media/hls/footage.ts';
import { createChangeDetector, type Outline } from '#media/thumbnails/change-detector.ts';
import { greyPictures } from '#media/thumbnails/decode.ts';
import type { FileCache } from '#media/thumbnails/file-cache.ts';
import { packGrey, unpackGrey, type GreyFile } from '#media/thumbnails/grey-file.ts';
import { listKeyPlaces, thinOut } from '#media/thumbnails/key-pictures.ts';
import { createMomentJoiner, type Moment } from '#media/thumbnails/moments.ts';
import type { SharedWork } from '#media/thumbnails/shared-work.ts';
import type { FootageSource, SpanMs } from './types.ts';

const longestMs = 12 * 3_600_000;
const mostMoments = 500;
/** Searches at once on the whole server; each waits for its turn to decode. */
const mostAtOnce = 6;
/** Pictures compared are this far apart at least; a camera's key frames are usually one to four seconds apart. */
const stepMs = 1_000;
const size = { width: 96, height: 54 };
/** One process decodes so many pictures at most: bounds memory for files of an hour. */
const batch = 120;
/** A hole longer than this: the background of before means nothing after it. */
const holeMs = 30_000;

export type ChangeNews =
  | ({ readonly name: 'moment' } & Moment)
  | { readonly name: 'progress'; readonly doneAt: number; readonly share: number }
  | {
      readonly name: 'end';
      readonly pictures: number;
      readonly unreadable: number;
      readonly decoded: number;
      readonly isCut: boolean;
    };

/** Tells when an area of a camera's picture changed, from its key frames. */
export function createChangeService(options: {
  footage: FootageSource;
  channels: ChannelSource;
  cache: FileCache;
  work: SharedWork<GreyFile>;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}) {
  const { footage, channels, cache, work, audit, now, log } = options;
  let running = 0;

  async function decodeFile(segment: FootageSegment, signal: AbortSignal): Promise<GreyFile> {
    const places = thinOut(listKeyPlaces(await readFootage(segment)), stepMs);
    const pictures: (Uint8Array | undefined)[] = [];
    for (let from = 0; from < places.length; from += batch)
      pictures.push(...(await greyPictures(places.slice(from, from + batch), size, { signal, log })));
    return places.map((place, index) => ({ at: place.at, picture: pictures[index] }));
  }

  /** Small pictures of one file: remembered from an earlier question, or decoded now. */
  async function greyOf(
    segment: FootageSegment,
    channelId: string,
    signal: AbortSignal,
  ): Promise<{ pictures: GreyFile; isRemembered: boolean }> {
    const key = `${channelId}/${segment.startAt}_${segment.runId}.grey`;
    const packed = segment.isOpen ? undefined : await cache.get(key);
    const known = packed && unpackGrey(packed, size);
    if (known) return { pictures: known, isRemembered: true };
    const make = async (stop: AbortSignal) => {
      const made = await decodeFile(segment, stop);
      if (!segment.isOpen) await cache.put(key, packGrey(made, size));
      return made;
    };
    return { pictures: await work.run(key, make, signal), isRemembered: false };
  }

  return {
    /**
     * Checks the question and puts it on the trail; the answer then comes by iterating: moments in time order with progress between them, and one
     * `end`. Ends early without an `end` when `signal` aborts.
     * @throws AppError not-found, footage.range-invalid, footage.none, request.invalid (an area without extent), unavailable (too many searches)
     */
    async start(
      ask: SpanMs & { channelId: string; area: Outline },
      { actor, request }: By,
      signal: AbortSignal,
    ): Promise<AsyncGenerator<ChangeNews, void, void>> {
      checkRange(ask, longestMs);
      await channels.get(ask.channelId);
      const detector = detectorFor(ask.area);
      if (running >= mostAtOnce) throw new AppError('unavailable', { problem: 'too many searches' });
      const range = { fromAt: ask.fromAt, toAt: Math.min(ask.toAt, now()) };
      if (range.toAt <= range.fromAt) throw new AppError('footage.none');
      const segments = await footage.list(ask.channelId, range, signal);
      if (segments.length === 0) throw new AppError('footage.none');
      await audit.record({
        action: 'footage.searched',
        actor,
        subjectType: 'channel',
        subjectId: ask.channelId,
        detail: spanDetail(range),
        request,
      });
      return search(segments, ask.channelId, range, detector, signal);
    },
  };

  async function* search(
    segments: readonly FootageSegment[],
    channelId: string,
    range: SpanMs,
    detector: ReturnType<typeof createChangeDetector>,
    signal: AbortSignal,
  ): AsyncGenerator<ChangeNews, void, void> {
    running += 1;
    try {
      const joiner = createMomentJoiner();
      const sums = { pictures: 0, unreadable: 0, decoded: 0 };
      let told = 0;
      let lastAt = Number.NaN;
      for (const segment of segments) {
        const found = await greyOf(segment, channelId, signal).catch((error: unknown) => {
          if (!isMediaError(error, 'rejected', 'bad-output') || signal.aborted) throw error;
          log.info({ channelId, err: error }, 'a file was left out of a search');
          return undefined;
        });
        for (const { at, picture } of found?.pictures ?? []) {
          if (at < range.fromAt || at >= range.toAt) continue;
          sums.pictures += 1;
          if (!found?.isRemembered) sums.decoded += 1;
          if (!picture) {
            sums.unreadable += 1;
            continue;
          }
          if (at - lastAt > holeMs) detector.reset();
          lastAt = at;
          const moment = joiner.next(at, detector.next(picture));
          if (!moment) continue;
          told += 1;
          if (told <= mostMoments) yield { name: 'moment', ...moment };
        }
        const doneAt = Math.min(range.toAt, segment.startAt + segment.durationMs);
        const share = Math.min(1, Math.max(0, (doneAt - range.fromAt) / (range.toAt - range.fromAt)));
        yield { name: 'progress', doneAt, share };
        if (told > mostMoments) break;
        // The remembered parts come without waiting: let other requests have their turn.
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
      const last = told > mostMoments ? undefined : joiner.end();
      if (last) yield { name: 'moment', ...last };
      yield { name: 'end', ...sums, isCut: told > mostMoments };
    } finally {
      running -= 1;
    }
  }
}
export type ChangeService = ReturnType<typeof createChangeService>;

function detectorFor(area: Outline): ReturnType<typeof createChangeDetector> {
  try {
    return createChangeDetector(size, area);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError(
      'request.invalid',
      { fields: [{ path: '/area', problem: 'the area is too small to hold any picture' }] },
      { cause: error },
    );
  }
}
