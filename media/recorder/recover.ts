import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFragmentAt, readInit } from '../hls/fmp4.ts';
import type { Log } from '../log.ts';
import type { MediaMs } from '../time.ts';
import { closeSegment, type ClosedSegment } from './close-segment.ts';
import { parsePartName, parseSegmentName } from './segment-names.ts';

/** What start-up found after a crash. */
export interface Recovery {
  /** Part files that became segments: index them. */
  recovered: (ClosedSegment & {
    /** Where its wall time comes from; `file-time` is right to about one group of pictures. */
    startFrom: 'anchor' | 'sibling' | 'file-time';
  })[];
  /** Part files without one complete fragment; they are gone. */
  deleted: string[];
  /** Part files that could not be handled, with the reason; they are still there. */
  failed: { file: string; error: unknown }[];
}

/**
 * Takes up the part files that dead runs left in a recorder's folder: each is cut to its complete fragments, renamed and
 * reported, or deleted if it holds none. Only for folders in which no recorder runs. Safe to repeat.
 * @param options.offsetOf the stored anchor of a run (`wall = media + offset`), if the caller has one
 */
export async function recoverSegments(options: {
  dir: string;
  offsetOf?: (runId: string) => Promise<number | undefined>;
  log: Log;
}): Promise<Recovery> {
  const { dir, log } = options;
  const result: Recovery = { recovered: [], deleted: [], failed: [] };
  for (const name of await namesIn(dir)) {
    const part = parsePartName(name);
    if (!part) continue;
    const file = join(dir, name);
    try {
      let startFrom: Recovery['recovered'][number]['startFrom'] = 'anchor';
      const { mtimeMs } = await stat(file);
      const segment = await closeSegment({
        part: file,
        dir,
        runId: part.runId,
        async offsetMs({ endMs }) {
          const stored = await options.offsetOf?.(part.runId);
          if (stored !== undefined) return stored;
          const sibling = await offsetFromSibling(dir, part.runId);
          startFrom = sibling === undefined ? 'file-time' : 'sibling';
          return sibling ?? mtimeMs - endMs; // the last fragment was written when its last picture had come
        },
      });
      if (segment) result.recovered.push({ ...segment, startFrom });
      else result.deleted.push(file);
    } catch (error) {
      log.error({ err: error, file }, 'a part file could not be recovered');
      result.failed.push({ file, error });
    }
  }
  if (result.recovered.length + result.deleted.length > 0) {
    log.info(
      { dir, recovered: result.recovered.length, deleted: result.deleted.length },
      'recovered part files',
    );
  }
  return result;
}

/** The offset that a finished segment of the same run was named with. */
async function offsetFromSibling(dir: string, runId: string): Promise<number | undefined> {
  const days = (await namesIn(dir)).filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort();
  for (const day of days.slice(-2).toReversed()) {
    const names = (await namesIn(join(dir, day)))
      .filter((name) => parseSegmentName(name)?.runId === runId)
      .sort();
    const name = names.at(-1);
    const parsed = name === undefined ? undefined : parseSegmentName(name);
    if (name === undefined || !parsed) continue;
    const start = await firstMediaTime(join(dir, day, name));
    if (start !== undefined) return parsed.startAt - start;
  }
  return undefined;
}

async function firstMediaTime(path: string): Promise<MediaMs | undefined> {
  const file = await open(path, 'r');
  try {
    const init = await readInit(file);
    if (!init) return undefined;
    const read = await readFragmentAt(file, init, init.sizeBytes, (await file.stat()).size);
    return read.kind === 'fragment' ? read.fragment.startMs : undefined;
  } finally {
    await file.close();
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
