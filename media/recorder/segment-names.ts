import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import { wallMs, type WallMs } from '../time.ts';

/** What a finished segment's name tells: enough to rebuild the index from the files alone. */
export interface SegmentName {
  runId: string;
  startAt: WallMs;
  durationMs: number;
}

/** Ends the name of a file that is still written. */
export const PART_SUFFIX = '.mp4.part';

/** A new run's id: sorts by time, unique, letters and digits only. */
export function newRunId(nowAt: number): string {
  return `${Math.floor(nowAt / 1000).toString(36)}${randomBytes(4).toString('hex')}`;
}

/** Name of the file that segment number `sequence` of a run is written to. */
export function partName(runId: string, sequence: number): string {
  return `${runId}-${String(sequence).padStart(6, '0')}${PART_SUFFIX}`;
}

/** The run id and number in a part's name, or undefined for any other file. */
export function parsePartName(file: string): { runId: string; sequence: number } | undefined {
  const [, runId, sequence] = /^([a-z0-9]+)-(\d{6,9})\.mp4\.part$/.exec(basename(file)) ?? [];
  return runId === undefined ? undefined : { runId, sequence: Number(sequence) };
}

/** Name of a finished segment: `<start, epoch ms>_<duration ms>_<run>.mp4`. */
export function segmentName({ startAt, durationMs, runId }: SegmentName): string {
  return `${startAt}_${durationMs}_${runId}.mp4`;
}

/** Reads a finished segment's name; undefined for any other file. */
export function parseSegmentName(file: string): SegmentName | undefined {
  const [, start, duration, runId] = /^(\d{10,16})_(\d{1,10})_([a-z0-9]+)\.mp4$/.exec(basename(file)) ?? [];
  if (runId === undefined) return undefined;
  return { runId, startAt: wallMs(Number(start)), durationMs: Number(duration) };
}

/** The folder of a segment: one a UTC day, so that a day's footage is one directory. */
export function dayFolder(dir: string, startAt: WallMs): string {
  return join(dir, new Date(startAt).toISOString().slice(0, 10));
}
