import { relative } from 'node:path';
import type { Logger } from '#api/log.ts';
import type { ClosedSegment } from '#media/recorder/close-segment.ts';
import type { RunStore } from './run-store.ts';
import type { SegmentStore } from './segment-store.ts';

/** Puts finished files into the index, in order, and keeps trying while the database does not answer. */
export interface Indexer {
  /** Queues a file; returns at once. */
  add(channelId: string, segment: ClosedSegment): void;
  /** Queues any other bookkeeping that must stay in order with the files. */
  enqueue(work: () => Promise<void>): void;
  /** Waits until what was queued up to now is written. */
  settled(): Promise<void>;
  /** Waits until all that was queued is written, or gives up after a few tries: start-up then finds the files. */
  close(): Promise<void>;
}

const retryMs = 2_000;
/** After this the file waits for the next start: a row that can never be written must not hold up the others. */
const mostTries = 30;
const triesAfterClose = 2;

/** The one writer of the index while the server runs. */
export function createIndexer(options: {
  recordingsDir: string;
  segments: SegmentStore;
  runs: RunStore;
  log: Logger;
}): Indexer {
  const { recordingsDir, segments, runs, log } = options;
  let queue: Promise<void> = Promise.resolve();
  let isClosing = false;

  async function insist(work: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        log.error({ err: error }, 'the recording index could not be written');
        if (tries >= (isClosing ? triesAfterClose : mostTries)) return;
        await new Promise((resolve) => setTimeout(resolve, isClosing ? retryMs / 10 : retryMs));
      }
    }
  }
  const enqueue = (work: () => Promise<void>) => {
    queue = queue.then(() => insist(work));
  };

  return {
    add(channelId, segment) {
      enqueue(async () => {
        const { runId, startAt, durationMs, sizeBytes, videoCodec, hasAudio } = segment;
        await runs.insert({ id: runId, channelId, startedAt: startAt });
        await segments.insert({
          channelId,
          runId,
          file: relative(recordingsDir, segment.file),
          startAt,
          endAt: startAt + durationMs,
          sizeBytes,
          videoCodec,
          hasAudio,
        });
      });
    },
    enqueue,
    settled: () => queue,
    async close() {
      isClosing = true;
      await queue;
    },
  };
}
