import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isMediaError } from '#media/errors.ts';
import { parsePartName, parseSegmentName } from '#media/recorder/segment-names.ts';
import { listFinished, namesIn, readFacts } from './index-files.ts';
import type { Segment, SegmentStore } from './segment-store.ts';

/**
 * missing: a row without its file. extra: a good file without a row. short, altered: not the size of its row, or not the hash it had when it
 * was copied. empty, torn: a file that cannot be played, or only in part. foreign: a file that is no recording of ours. left-over: what a
 * restore that was cut off has left. A change that keeps the size shows only by hash, and only where a copy was made.
 */
export type IndexProblem =
  'missing' | 'extra' | 'short' | 'altered' | 'empty' | 'torn' | 'foreign' | 'left-over';
export interface IndexFinding {
  readonly problem: IndexProblem;
  /** Relative to the recordings folder. */
  readonly file: string;
  readonly row?: Segment | undefined;
}
export interface IndexCheck {
  readonly files: number;
  readonly rows: number;
  /** Files whose hash was compared; the others have none to compare with. */
  readonly hashed: number;
  readonly findings: readonly IndexFinding[];
}

const restoreSuffix = '.restore';
/** A recorder renames a file and then writes its row: what does not agree is looked at again after this. */
const settleMs = 3_000;

/** Compares the index with the files; changes nothing. Works beside a running server. */
export async function checkIndex(options: {
  recordingsDir: string;
  segments: SegmentStore;
  /** Given: also compares the hash of every file that has one on record. */
  knownSum?: ((file: string) => Promise<string | undefined>) | undefined;
}): Promise<IndexCheck> {
  const { recordingsDir, segments, knownSum } = options;
  const findings: IndexFinding[] = [];
  let [files, rows, hashed] = [0, 0, 0];
  const channelIds = await segments.listChannelIds();
  const known = new Set(channelIds);

  for (const channelId of channelIds) {
    const onDisk = await listFinished(join(recordingsDir, channelId), recordingsDir);
    const inIndex = await segments.listFilesOf(channelId);
    files += onDisk.size;
    rows += inIndex.size;
    const byFile = new Map((await segments.listByFiles([...inIndex])).map((row) => [row.file, row]));
    for (const [file, row] of byFile) if (!onDisk.has(file)) findings.push({ problem: 'missing', file, row });
    for (const file of onDisk) {
      const path = join(recordingsDir, file);
      const row = byFile.get(file);
      const problem = await judgeFile(path, row);
      if (problem) findings.push({ problem, file, row });
      else if (knownSum) {
        const sum = await knownSum(file);
        if (sum === undefined) continue;
        hashed += 1;
        if ((await sumOf(path)) !== sum) findings.push({ problem: 'altered', file, row });
      }
    }
    for (const finding of await findForeign(recordingsDir, channelId)) findings.push(finding);
  }
  for (const name of await namesIn(recordingsDir))
    if (!known.has(name)) findings.push({ problem: 'foreign', file: name });
  return { files, rows, hashed, findings: await settled(findings, recordingsDir, segments) };
}

async function judgeFile(path: string, row: Segment | undefined): Promise<IndexProblem | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // retention came in between
    throw error;
  });
  if (!found) return undefined;
  if (found.size === 0) return 'empty';
  if (row) return found.size < row.sizeBytes ? 'short' : found.size > row.sizeBytes ? 'altered' : undefined;
  try {
    await readFacts(path);
    return 'extra';
  } catch (error) {
    if (isMediaError(error)) return 'torn';
    throw error;
  }
}

/** What lies in a channel's folder and is neither a recording nor one that is being written. */
async function findForeign(recordingsDir: string, channelId: string): Promise<IndexFinding[]> {
  const found: IndexFinding[] = [];
  for (const name of await namesIn(join(recordingsDir, channelId))) {
    if (parsePartName(name)) continue;
    const isDay = /^\d{4}-\d\d-\d\d$/.test(name);
    if (!isDay) found.push({ problem: 'foreign', file: join(channelId, name) });
    else
      for (const inner of await namesIn(join(recordingsDir, channelId, name)))
        if (!parseSegmentName(inner))
          found.push({
            problem: inner.endsWith(restoreSuffix) ? 'left-over' : 'foreign',
            file: join(channelId, name, inner),
          });
  }
  return found;
}

/** Without what has come into order by itself: the file was being indexed or deleted at that moment. */
async function settled(
  findings: readonly IndexFinding[],
  recordingsDir: string,
  segments: SegmentStore,
): Promise<IndexFinding[]> {
  const isMoving = ({ problem }: IndexFinding) => problem === 'missing' || problem === 'extra';
  const moving = findings.filter(isMoving);
  if (moving.length === 0) return [...findings];
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const rows = new Set(
    (await segments.listByFiles(moving.map((finding) => finding.file))).map((row) => row.file),
  );
  const kept: IndexFinding[] = [];
  for (const finding of findings) {
    const isThere = (await stat(join(recordingsDir, finding.file)).catch(() => undefined)) !== undefined;
    if (!isMoving(finding) || isThere !== rows.has(finding.file)) kept.push(finding);
  }
  return kept;
}

/**
 * Puts rows right whose file has another size: the file is the truth, as far as it can be played. Removes what a restore left. Files of
 * recordings are never touched. Only while no server runs; what is missing and extra is put right by start-up's own repair.
 * @returns how many rows or left-overs were put right
 */
export async function repairFiles(
  findings: readonly IndexFinding[],
  options: { recordingsDir: string; segments: SegmentStore; now: number },
): Promise<number> {
  const { recordingsDir, segments, now } = options;
  let repaired = 0;
  for (const { problem, file, row } of findings) {
    const path = join(recordingsDir, file);
    if (problem === 'left-over') {
      await rm(path, { force: true });
      repaired += 1;
    }
    const isOfSize = problem === 'short' || problem === 'altered' || problem === 'empty';
    if (!isOfSize || !row) continue;
    try {
      const { isTorn: _isTorn, ...facts } = await readFacts(path);
      if (facts.sizeBytes === row.sizeBytes) continue; // altered by its hash alone: nothing here knows what it was
      await segments.remove(row, 'file-missing', now);
      await segments.insert({ channelId: row.channelId, file, ...facts });
    } catch (error) {
      if (!isMediaError(error)) throw error;
      await segments.remove(row, 'file-missing', now);
    }
    repaired += 1;
  }
  return repaired;
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
