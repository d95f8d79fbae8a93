import { open } from 'node:fs/promises';
import type { Logger } from '#api/log.ts';
import { isMediaError } from '#media/errors.ts';
import { listFragments } from '#media/hls/fmp4.ts';
import { segmentSetup } from '#media/recorder/close-segment.ts';
import type { Recorder } from '#media/recorder/recorder.ts';
import type { SpanMs } from './spans.ts';

/** The finished part of a file that is still written. */
export interface OpenPart extends SpanMs {
  readonly runId: string;
  /** Number of the file in its run, from 0. */
  readonly sequence: number;
  /** Absolute; it changes when the file is closed. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
}

/** Looks into the files that recorders write now. */
export interface OpenFootage {
  /** undefined when nothing is written, or nothing playable yet. */
  partOf(channelId: string): Promise<OpenPart | undefined>;
  /** The same as stretches of time, with the file closed last, which may not be in the index yet. */
  spansOf(channelId: string): Promise<SpanMs[]>;
}

/** @param recorderOf the recorder of a channel, if one runs */
export function createOpenFootage(options: {
  recorderOf: (channelId: string) => Recorder | undefined;
  log: Logger;
}): OpenFootage {
  async function partOf(channelId: string): Promise<OpenPart | undefined> {
    const recorder = options.recorderOf(channelId);
    const segment = recorder?.current();
    const anchor = recorder?.anchor();
    const path = segment?.path();
    if (!segment || !anchor || path === undefined) return undefined;
    try {
      const file = await open(path, 'r');
      try {
        const list = await listFragments(file);
        const [first, last] = [list?.fragments[0], list?.fragments.at(-1)];
        if (!list || !first || !last) return undefined;
        const { videoCodec, hasAudio } = segmentSetup(list.init);
        return {
          runId: segment.runId,
          sequence: segment.sequence,
          path,
          fromAt: Math.round(first.startMs + anchor.offsetMs),
          toAt: Math.round(last.endMs + anchor.offsetMs),
          sizeBytes: list.completeBytes,
          videoCodec,
          hasAudio,
        };
      } finally {
        await file.close();
      }
    } catch (error) {
      // Closed and renamed while we looked, or its first bytes are not there yet: then it is in the index, or nothing is lost.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !isMediaError(error)) throw error;
      options.log.debug({ channelId, err: error }, 'an open file could not be read');
      return undefined;
    }
  }
  return {
    partOf,
    async spansOf(channelId) {
      const closed = options.recorderOf(channelId)?.previous();
      const part = await partOf(channelId);
      return [
        ...(closed ? [{ fromAt: closed.startAt, toAt: closed.startAt + closed.durationMs }] : []),
        ...(part ? [{ fromAt: part.fromAt, toAt: part.toAt }] : []),
      ];
    },
  };
}
