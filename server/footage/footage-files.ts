import type { FootageSegment } from '#media/hls/footage.ts';
import { wallMs } from '#media/time.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { SegmentStore } from './segment-store.ts';
import { isOverlapping, type SpanMs } from './spans.ts';

const openPollMs = 300;
/** How long the newest pictures of a range may take to reach the disk: a long group of pictures and some patience. */
const openWaitMs = 15_000;

/** The files that hold a stretch of a channel's footage, for whoever reads them whole: exports, thumbnails, checks. */
export interface FootageFiles {
  /**
   * In time order, the one being written last with what is finished of it; waits until that reaches the end of the range, at most 15 s.
   * Empty where nothing was recorded.
   */
  list(channelId: string, range: SpanMs, signal?: AbortSignal): Promise<FootageSegment[]>;
}

export function createFootageFiles(options: {
  segments: SegmentStore;
  open: OpenFootage;
  /** Resolves when all files closed up to now are in the index. */
  settled: () => Promise<void>;
  recordingsDir: string;
}): FootageFiles {
  const { segments, open, settled, recordingsDir } = options;
  return {
    async list(channelId, range, signal) {
      const giveUpAt = Date.now() + openWaitMs;
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
        const footage: FootageSegment[] = rows.map((row) => ({
          file: pathInside(recordingsDir, row.file),
          runId: row.runId,
          startAt: wallMs(row.startAt),
          durationMs: row.endAt - row.startAt,
        }));
        const isIndexed = rows.some(
          (row) => part && isOverlapping({ fromAt: row.startAt, toAt: row.endAt }, part),
        );
        if (part && isOverlapping(part, range) && !isIndexed)
          footage.push({
            file: part.path,
            runId: part.runId,
            startAt: wallMs(part.fromAt),
            durationMs: part.toAt - part.fromAt,
            isOpen: true,
          });
        return footage;
      }
    },
  };
}
