import { AppError, type ErrorCode, errorRegistry } from '#api/errors.ts';
import { toAppError } from '#api/http/error-handler.ts';
import type { Logger } from '#api/log.ts';
import type { FootageSegment } from '#media/hls/footage.ts';
import { wallMs } from '#media/time.ts';
import { overlapOf, without } from './device-archive-rules.ts';
import type { DeviceArchive, Held } from './device-archive.ts';
import type { DeviceArchiveStore, DeviceSegment } from './device-archive-store.ts';
import { isDeviceFailure, type DeviceFetcher, type WantedPiece } from './device-fetch.ts';
import { pathInside } from './paths.ts';
import { clip, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

/** Where footage comes from: recorded here, or by the device itself. */
export type FootageSource = 'own' | 'device';

/** A file of footage chosen for a stretch of time. */
export interface ChosenSegment extends FootageSegment {
  readonly source: FootageSource;
  /** Device minus server, by which a device's own times were corrected; null for own footage, which carries our clock. */
  readonly clockSkewMs: number | null;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
  /** Of fetched footage: what to touch while it is used. */
  readonly pieceId: string | null;
  /** Relative to its source's folder. */
  readonly name: string;
}

/** What a device can add to own footage. */
export interface DeviceOffer {
  /** Of the range and a minute and a half around it. */
  readonly held: Held;
  /** Where it has footage: as it told, and for what was fetched, as it is. Our clock, merged, cut to the range. */
  readonly spans: readonly SpanMs[];
}

/** Devices' recordings as a second source beside our own. */
export interface DeviceFootage {
  /** From what is known; never waits for a device. */
  offer(channelId: string, range: SpanMs): Promise<DeviceOffer>;
  /** Has devices asked in the background; see DeviceArchive.refresh. */
  refresh: DeviceArchive['refresh'];
  /** What of `holes` must be fetched before it can be read. */
  missing(channelId: string, holes: readonly SpanMs[], offer: DeviceOffer): Promise<WantedPiece[]>;
  fetch: DeviceFetcher['fetch'];
  touch: DeviceFetcher['touch'];
  /** What was fetched for `holes`, in time order, each file limited to the hole that it fills. */
  listFetched(channelId: string, holes: readonly SpanMs[]): Promise<ChosenSegment[]>;
  /**
   * All of it: asks the device where needed (at most ten seconds), fetches what is missing, gives the files. When the device fails, what is
   * here already is given and `problem` says why.
   * @throws MediaError 'cancelled'
   */
  ensure(
    channelId: string,
    holes: readonly SpanMs[],
    options: { signal?: AbortSignal; onProgress?: (done: number) => void },
  ): Promise<{ segments: ChosenSegment[]; problem: ErrorCode | null }>;
}

const askMs = 10_000;
/** Pieces are whole minutes and begin before what is wanted: what the device holds is looked up so far around it. */
const aroundMs = 90_000;
const widen = ({ fromAt, toAt }: SpanMs): SpanMs => ({ fromAt: fromAt - aroundMs, toAt: toAt + aroundMs });

export function createDeviceFootage(options: {
  store: DeviceArchiveStore;
  archive: DeviceArchive;
  fetcher: DeviceFetcher;
  dir: string;
  log: Logger;
}): DeviceFootage {
  const { store, archive, fetcher, dir, log } = options;

  async function offer(channelId: string, range: SpanMs): Promise<DeviceOffer> {
    const held = await archive.held(channelId, widen(range));
    const skewMs = held.clockSkewMs ?? 0;
    const around = { fromAt: range.fromAt + skewMs, toAt: range.toAt + skewMs };
    const [pieces, files] = await Promise.all([
      held.spans.length === 0 ? [] : store.listPieces(channelId, around),
      store.listSegments(channelId, range),
    ]);
    const looked = pieces.map((piece) => ({
      fromAt: piece.fromDeviceAt - piece.clockSkewMs,
      toAt: piece.untilDeviceAt - piece.clockSkewMs,
    }));
    const fetched = files.map(({ startAt, endAt }) => ({ fromAt: startAt, toAt: endAt }));
    const all = mergeSpans([...without(held.spans, looked), ...fetched], continuousToleranceMs);
    return { held, spans: all.flatMap((span) => clip(span, range) ?? []) };
  }

  async function listFetched(channelId: string, holes: readonly SpanMs[]): Promise<ChosenSegment[]> {
    const chosen: ChosenSegment[] = [];
    for (const hole of holes) {
      const files = await store.listSegments(channelId, hole);
      let open: readonly SpanMs[] = [hole];
      // Where several recordings of the device hold the same time, the first is taken.
      for (const token of new Set(files.map((file) => file.token))) {
        const own = files.filter((file) => file.token === token);
        for (const window of open)
          for (const file of own)
            if (isOverlapping({ fromAt: file.startAt, toAt: file.endAt }, window))
              chosen.push(choose(file, window));
        const filled = own.map(({ startAt, endAt }) => ({ fromAt: startAt, toAt: endAt }));
        open = without(open, mergeSpans(filled, continuousToleranceMs));
      }
    }
    await fetcher.touch(chosen.flatMap(({ pieceId }) => pieceId ?? []));
    return chosen;
  }

  const choose = (file: DeviceSegment, window: SpanMs): ChosenSegment => ({
    source: 'device',
    clockSkewMs: file.clockSkewMs,
    file: pathInside(dir, file.file),
    name: file.file,
    pieceId: file.pieceId,
    runId: file.runId,
    startAt: wallMs(file.startAt),
    durationMs: file.endAt - file.startAt,
    videoCodec: file.videoCodec,
    hasAudio: file.hasAudio,
    window: { fromAt: wallMs(window.fromAt), toAt: wallMs(window.toAt) },
  });

  const missing: DeviceFootage['missing'] = (channelId, holes, { held }) =>
    fetcher.missing(channelId, overlapOf(holes, held.spans), held);

  const refresh: DeviceFootage['refresh'] = (channelIds, range, wait) =>
    archive.refresh(channelIds, widen(range), wait);

  return {
    offer,
    listFetched,
    missing,
    refresh,
    fetch: fetcher.fetch,
    touch: fetcher.touch,
    async ensure(channelId, holes, { signal, onProgress }) {
      const [first, last] = [holes[0], holes.at(-1)];
      if (!first || !last) return { segments: [], problem: null };
      const range = { fromAt: first.fromAt, toAt: last.toAt };
      await refresh([channelId], range, { waitMs: askMs, isPatient: true });
      signal?.throwIfAborted();
      const known = await offer(channelId, range);
      let problem =
        known.held.state === 'unknown' ? ((known.held.problem ?? 'device.unreachable') as ErrorCode) : null;
      try {
        const pieces = await missing(channelId, holes, known);
        await fetcher.fetch(channelId, pieces, known.held, { signal, onProgress });
      } catch (error) {
        signal?.throwIfAborted();
        if (!isDeviceFailure(error)) throw error;
        problem = toAppError(error).code;
        log.warn({ channelId, err: error, problem }, 'footage of a device could not be fetched');
      }
      return { segments: await listFetched(channelId, holes), problem };
    },
  };
}

/** The stored code of a problem as an error, for when there is no footage to stand without the device. */
export function deviceError(problem: string | null): AppError {
  const isKnown = problem !== null && problem in errorRegistry;
  return new AppError(isKnown ? (problem as ErrorCode) : 'footage.none');
}
