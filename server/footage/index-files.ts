import { open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { MediaError } from '#media/errors.ts';
import { listFragments } from '#media/hls/fmp4.ts';
import { segmentSetup } from '#media/recorder/close-segment.ts';
import { parseSegmentName } from '#media/recorder/segment-names.ts';
import type { Segment } from './segment-store.ts';

/** What a finished file tells about itself. */
export type FileFacts = Omit<Segment, 'id' | 'channelId' | 'file'>;

/** Finished files of one channel's folder, relative to the recordings folder. */
export async function listFinished(dir: string, recordingsDir: string): Promise<Set<string>> {
  const files = new Set<string>();
  for (const day of await namesIn(dir)) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day)) continue;
    for (const name of await namesIn(join(dir, day)))
      if (parseSegmentName(name)) files.add(relative(recordingsDir, join(dir, day, name)));
  }
  return files;
}

/** Names in a folder; none when it is not there or is no folder. */
export async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/**
 * Start and run by the name, size and codec by the content, and the length by the complete fragments: a file that was cut off ends where
 * its last whole picture group does.
 * @throws MediaError bad-output for an empty file and one without a head or a whole fragment
 */
export async function readFacts(path: string): Promise<FileFacts & { readonly isTorn: boolean }> {
  const name = parseSegmentName(path);
  const file = await open(path, 'r');
  try {
    const list = await listFragments(file);
    const [first, last] = [list?.fragments[0], list?.fragments.at(-1)];
    if (!name || !list || !first || !last)
      throw new MediaError('bad-output', 'a recording file without a whole fragment');
    const { videoCodec, hasAudio } = segmentSetup(list.init);
    const { size } = await file.stat();
    const isTorn = last.offset + last.sizeBytes < size || last.endMs - first.startMs < name.durationMs - 50;
    return {
      runId: name.runId,
      startAt: name.startAt,
      endAt: name.startAt + (isTorn ? Math.round(last.endMs - first.startMs) : name.durationMs),
      sizeBytes: size,
      videoCodec,
      hasAudio,
      isTorn,
    };
  } finally {
    await file.close();
  }
}
