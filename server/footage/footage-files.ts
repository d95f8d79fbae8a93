import type { Now } from '#api/clock.ts';
import { wallMs } from '#media/time.ts';
import { holesIn } from './device-archive-rules.ts';
import { deviceError, type ChosenSegment, type DeviceFootage } from './device-footage.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { SegmentStore } from './segment-store.ts';
import { clip, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

const openPollMs = 300;
/** How long the newest pictures of a range may take to reach the disk: a long group of pictures and some patience. */
const openWaitMs = 15_000;

/** The files that hold a stretch of a channel's footage, for whoever reads them whole: exports, thumbnails, checks. */
export interface FootageFiles {
  /**
   * In time order, the one being written last with what is finished of it; waits until that reaches the end of the range, at most 15 s.
   * Own footage first; where it has holes, what the device itself recorded, which is fetched now (`onProgress`, 0 to 1). Empty where
   * neither has anything.
   * @throws AppError device.… when the device fails and nothing is there without it; otherwise `onProblem` is told and what is there is given
   */
  list(
    channelId: string,
    range: SpanMs,
    signal?: AbortSignal,
    options?: { onProgress?: (done: number) => void; onProblem?: (code: string) => void },
  ): Promise<ChosenSegment[]>;
  /** The same without asking a device: own footage, and what was fetched before. For pictures that are only glanced at. */
  listHere(channelId: string, range: SpanMs, signal?: AbortSignal): Promise<ChosenSegment[]>;
}

/** Which source a stretch of time comes from, for a record. */
export interface SourceSpan extends SpanMs {
  readonly source: ChosenSegment['source'];
  readonly clockSkewMs: number | null;
}

export function createFootageFiles(options: {
  segments: SegmentStore;
  open: OpenFootage;
  devices: DeviceFootage;
  /** Resolves when all files closed up to now are in the index. */
  settled: () => Promise<void>;
  recordingsDir: string;
  now: Now;
}): FootageFiles {
  const { segments, open, devices, settled, recordingsDir, now } = options;

  async function listOwn(channelId: string, range: SpanMs, signal?: AbortSignal): Promise<ChosenSegment[]> {
    const giveUpAt = Date.now() + openWaitMs;
    const own = { source: 'own', clockSkewMs: null, pieceId: null } as const;
    for (;;) {
      signal?.throwIfAborted();
      const part = await open.partOf(channelId);
      const isLate = part !== undefined && part.fromAt < range.toAt && part.toAt < range.toAt;
      if (isLate && Date.now() < giveUpAt) {
        await new Promise((resolve) => setTimeout(resolve, openPollMs));
        continue;
      }
      await settled();
      const rows = await segments.listOverlapping(channelId, range);
      const footage: ChosenSegment[] = rows.map((row) => ({
        ...own,
        file: pathInside(recordingsDir, row.file),
        name: row.file,
        runId: row.runId,
        startAt: wallMs(row.startAt),
        durationMs: row.endAt - row.startAt,
        videoCodec: row.videoCodec,
        hasAudio: row.hasAudio,
      }));
      const isIndexed = rows.some(
        (row) => part && isOverlapping({ fromAt: row.startAt, toAt: row.endAt }, part),
      );
      if (part && isOverlapping(part, range) && !isIndexed)
        footage.push({
          ...own,
          file: part.path,
          name: part.path,
          runId: part.runId,
          startAt: wallMs(part.fromAt),
          durationMs: part.toAt - part.fromAt,
          videoCodec: part.videoCodec,
          hasAudio: part.hasAudio,
          isOpen: true,
        });
      return footage;
    }
  }

  return {
    async list(channelId, range, signal, { onProgress, onProblem } = {}) {
      const own = await listOwn(channelId, range, signal);
      const holes = holesIn(own.map(spanOfSegment), range, now());
      const { segments: fetched, problem } = await devices.ensure(channelId, holes, {
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress } : {}),
      });
      if (problem !== null && own.length + fetched.length === 0) throw deviceError(problem);
      if (problem !== null) onProblem?.(problem);
      return inTimeOrder([...own, ...fetched]);
    },
    async listHere(channelId, range, signal) {
      const own = await listOwn(channelId, range, signal);
      const holes = holesIn(own.map(spanOfSegment), range, now());
      return inTimeOrder([...own, ...(await devices.listFetched(channelId, holes))]);
    },
  };
}

/** By the time from which each counts. */
export function inTimeOrder(chosen: readonly ChosenSegment[]): ChosenSegment[] {
  const beginOf = (segment: ChosenSegment) => spanOfSegment(segment).fromAt;
  return chosen.toSorted((a, b) => beginOf(a) - beginOf(b));
}

/** The stretch for which a chosen file counts. */
export function spanOfSegment({ startAt, durationMs, window }: ChosenSegment): SpanMs {
  const span = { fromAt: startAt, toAt: startAt + durationMs };
  return (window && clip(span, window)) ?? span;
}

/** The stretches of `range` that come from each source, ascending, for a timeline or an export's record. */
export function sourceSpans(chosen: readonly ChosenSegment[], range: SpanMs): SourceSpan[] {
  const kinds = new Map<string, ChosenSegment[]>();
  for (const segment of chosen) {
    const key = `${segment.source} ${segment.clockSkewMs}`;
    kinds.set(key, [...(kinds.get(key) ?? []), segment]);
  }
  return [...kinds.values()]
    .flatMap((segments) => {
      const { source, clockSkewMs } = segments[0] as ChosenSegment;
      return mergeSpans(segments.map(spanOfSegment), continuousToleranceMs)
        .flatMap((span) => clip(span, range) ?? [])
        .map((span) => ({ ...span, source, clockSkewMs }));
    })
    .toSorted((a, b) => a.fromAt - b.fromAt);
}
