import { createHash } from 'node:crypto';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import { toAppError } from '#api/http/error-handler.ts';
import type { Logger } from '#api/log.ts';
import { wallMs } from '#media/time.ts';
import { holesIn, overlapOf, playableRange } from './device-archive-rules.ts';
import { deviceError, type ChosenSegment, type DeviceFootage, type FootageSource } from './device-footage.ts';
import { inTimeOrder, sourceSpans } from './footage-files.ts';
import type { OpenFootage } from './open-footage.ts';
import type { SegmentStore } from './segment-store.ts';
import { clip, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

/** One file of a playback, as its playlist names it. */
export interface PlaybackFile extends ChosenSegment {
  /** Unguessable only together with the playback's token; unique in it. */
  readonly key: string;
}

/** What a playback shows, while it is still being fetched and after. */
export interface PreparedFootage extends SpanMs {
  /** With the source of each stretch; of what is still to be fetched, as the device told. */
  readonly spans: readonly (SpanMs & { readonly source: FootageSource })[];
  /** Own files at first; all once `ready` has resolved. */
  readonly files: readonly PlaybackFile[];
  /** 0 to 1 while footage is fetched; null when all is here. */
  readonly progress: number | null;
  /** Code of why the device could not give its part. */
  readonly problem: string | null;
  /** Never rejects. */
  readonly ready: Promise<void>;
}

/** Person and device are given this long to be told of recordings that nobody asked for before. */
const askMs = 4_000;

/** Finds the footage of a playback, and fetches what only the device has. */
export function createPlaybackPreparation(options: {
  segments: SegmentStore;
  open: OpenFootage;
  devices: DeviceFootage;
  now: Now;
  log: Logger;
}) {
  const { segments, open, devices, now, log } = options;

  async function listOwn(channelId: string, range: SpanMs): Promise<ChosenSegment[]> {
    const [rows, part] = await Promise.all([
      segments.listOverlapping(channelId, range),
      open.partOf(channelId),
    ]);
    const own = { source: 'own', clockSkewMs: null, pieceId: null } as const;
    const files: ChosenSegment[] = rows.map((row) => ({
      ...own,
      file: '',
      name: row.file,
      runId: row.runId,
      startAt: wallMs(row.startAt),
      durationMs: row.endAt - row.startAt,
      videoCodec: row.videoCodec,
      hasAudio: row.hasAudio,
    }));
    // Closed between the two looks: then it is in the index already.
    const isIndexed =
      part !== undefined &&
      rows.some(({ startAt, endAt }) => isOverlapping({ fromAt: startAt, toAt: endAt }, part));
    if (part && isOverlapping(part, range) && !isIndexed)
      files.push({
        ...own,
        file: '',
        name: `${part.runId}-${part.sequence}`,
        runId: part.runId,
        startAt: wallMs(part.fromAt),
        durationMs: part.toAt - part.fromAt,
        videoCodec: part.videoCodec,
        hasAudio: part.hasAudio,
        isOpen: true,
      });
    return files;
  }

  /**
   * @param focusAt what the person wants to see: around it the device's part is fetched
   * @throws AppError footage.none, device.… when only the device could have it and it fails
   */
  return async function prepare(
    channelId: string,
    ask: SpanMs,
    focusAt: number,
    signal: AbortSignal,
  ): Promise<PreparedFootage> {
    const own = await listOwn(channelId, ask);
    const ownSpans = own.map(({ startAt, durationMs }) => ({ fromAt: startAt, toAt: startAt + durationMs }));
    const holes = holesIn(ownSpans, ask, now());
    const isWaiting = holes.some((hole) => hole.fromAt <= focusAt + 1 && hole.toAt >= focusAt - 1);
    if (holes.length > 0)
      await devices.refresh([channelId], ask, { waitMs: isWaiting ? askMs : 0, isPatient: true });
    const offer = await devices.offer(channelId, ask);
    const offered = overlapOf(holes, offer.spans);
    if (own.length + offered.length === 0) {
      const { state, problem } = offer.held;
      throw deviceError(problem ?? (state === 'unknown' ? 'device.unreachable' : null));
    }

    const skewMs = offer.held.clockSkewMs ?? 0;
    const wanted = await devices.missing(channelId, offered, offer);
    const slow = mergeSpans(
      wanted.map(({ fromAt, toAt }) => ({ fromAt: fromAt - skewMs, toAt: toAt - skewMs })),
    );
    const range = playableRange(ask, overlapOf(slow, offered), ownSpans, focusAt);
    const inside = <T extends SpanMs>(spans: readonly T[]) =>
      spans.flatMap((span) => {
        const part = clip(span, range);
        return part ? [{ ...span, ...part }] : [];
      });
    const ownFiles = own.filter((_file, index) => isOverlapping(ownSpans[index] as SpanMs, range));
    const filled = inside(holes);
    const pieces = await devices.missing(channelId, inside(offered), offer);
    const spansOf = (files: readonly ChosenSegment[]) =>
      sourceSpans(files, range).map(({ fromAt, toAt, source }) => ({ fromAt, toAt, source }));

    const prepared = {
      ...range,
      files: ownFiles.map(withKey),
      spans: [
        ...spansOf(ownFiles),
        ...mergeSpans(inside(offered), continuousToleranceMs).map((span) => ({
          ...span,
          source: 'device' as const,
        })),
      ].toSorted((a, b) => a.fromAt - b.fromAt),
      progress: pieces.length > 0 ? 0 : (null as number | null),
      problem: null as string | null,
      ready: Promise.resolve(),
    };
    const fill = async () => {
      const files = inTimeOrder([...ownFiles, ...(await devices.listFetched(channelId, filled))]);
      prepared.files = files.map(withKey);
      prepared.spans = spansOf(files);
    };
    if (pieces.length === 0) {
      await fill();
      if (prepared.files.length === 0) throw new AppError('footage.none');
      return prepared;
    }
    const onProgress = (done: number) => void (prepared.progress = done);
    prepared.ready = devices
      .fetch(channelId, pieces, offer.held, { signal, onProgress })
      .catch((error: unknown) => {
        prepared.problem = toAppError(error).code;
        if (!signal.aborted) log.warn({ channelId, err: error }, 'footage of a device could not be fetched');
      })
      .then(fill)
      .catch((error: unknown) => {
        prepared.problem = 'internal';
        log.error({ channelId, err: error }, 'fetched footage could not be listed');
      })
      .then(() => void (prepared.progress = null));
    return prepared;
  };
}

/** File names tell times and runs; a key in a URL, which lands in proxies' logs, tells nothing. */
export function keyOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, 22);
}
const withKey = (segment: ChosenSegment): PlaybackFile => ({
  ...segment,
  key: keyOf(`${segment.source} ${segment.name}`),
});
