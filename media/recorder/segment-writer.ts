import { join } from 'node:path';
import type { Log } from '../log.ts';
import { closeSegment, type ClosedSegment } from './close-segment.ts';
import { partName } from './segment-names.ts';

/** The file a run writes now. */
export interface OpenSegment {
  runId: string;
  /** From 0 in each run. */
  sequence: number;
  /**
   * Absolute path at this moment: it changes when the file is finished, while a handle opened earlier stays good. The file may
   * not exist yet in a run's first second. After a failed open, read this again.
   */
  path(): string | undefined;
}

/** Follows ffmpeg's segment list: knows which file is open, and finishes those that are closed, in order. */
export interface SegmentWriter {
  current(): OpenSegment;
  /** Takes a line of the segment list: that file is complete. */
  onListLine(line: string): void;
  /** Finishes the last file and waits for all. `keepUntilMs` as in closeSegment. */
  finish(keepUntilMs?: number): Promise<void>;
}

/** @param onClosed is called once for each file that holds footage; errors in finishing one are logged, not thrown */
export function createSegmentWriter(options: {
  dir: string;
  runId: string;
  isFlat: boolean;
  offsetMs: () => number;
  log: Log;
  onOpened: (segment: OpenSegment) => void;
  onClosed: (segment: ClosedSegment) => void;
}): SegmentWriter {
  const { dir, runId, isFlat, log } = options;
  let sequence = 0;
  let closing = Promise.resolve();
  const openNext = () => {
    const part = join(dir, partName(runId, sequence));
    const segment = { runId, sequence, part, finalPath: part as string | undefined };
    return { segment, face: { runId, sequence, path: () => segment.finalPath } satisfies OpenSegment };
  };
  let open = openNext();
  options.onOpened(open.face);

  const finishFile = async (
    before: Promise<void>,
    segment: (typeof open)['segment'],
    offsetMs: number,
    keepUntilMs: number | undefined,
  ) => {
    await before;
    try {
      const cut = keepUntilMs === undefined ? {} : { keepUntilMs };
      const closed = await closeSegment({ part: segment.part, dir, runId, offsetMs, isFlat, ...cut });
      segment.finalPath = closed?.file;
      if (closed) options.onClosed(closed);
    } catch (error) {
      // A run that never got a picture wrote no file. Anything else stays a part, which recoverSegments takes up.
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing) log.error({ err: error, file: segment.part }, 'a finished segment could not be closed');
    }
  };
  const close = ({ segment }: typeof open, keepUntilMs?: number) => {
    const offsetMs = options.offsetMs();
    closing = finishFile(closing, segment, offsetMs, keepUntilMs);
  };

  return {
    current: () => open.face,
    onListLine(line) {
      const name = partName(runId, sequence);
      if (!line.replaceAll('"', '').startsWith(`${name},`) && !line.includes(`/${name},`)) return;
      close(open);
      sequence += 1;
      open = openNext();
      options.onOpened(open.face);
    },
    async finish(keepUntilMs) {
      close(open, keepUntilMs);
      await closing;
    },
  };
}
