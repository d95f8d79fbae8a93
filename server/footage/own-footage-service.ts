import type { Knex } from 'knex';
import type { Now } from '#api/clock.ts';
import type { HoldStore } from './hold-store.ts';
import { pathInside } from './paths.ts';
import type { RunStore } from './run-store.ts';
import type { Segment, SegmentStore } from './segment-store.ts';
import type { SpanMs } from './spans.ts';

/** A finished recording file of ours, without its row's id. */
export type OwnFile = Omit<Segment, 'id'>;

/** Our own recording files, for capabilities that copy them away and bring them back. */
export interface OwnFootageService {
  /** Files that share time with `range`, by start. */
  list(channelId: string, range: SpanMs): Promise<OwnFile[]>;
  /** Of `files`, those that the index has. */
  listKnown(files: readonly string[]): Promise<Set<string>>;
  /** @throws AppError not-found when the name would lead out of the recordings folder */
  pathOf(file: string): string;
  /** Every channel that may own footage, removed devices' too. */
  listChannelIds(): Promise<string[]>;
  /** Stretches under a hold now. */
  listHeld(channelId: string): Promise<SpanMs[]>;
  /** Takes a file that was brought back into the index. Safe to repeat. */
  adopt(file: OwnFile): Promise<void>;
  /** A hold, so that what is brought back is not deleted as too old. */
  hold(
    span: SpanMs & { channelId: string; reason: string; untilAt: number; createdBy: string },
    trx: Knex.Transaction,
  ): Promise<string>;
}

export function createOwnFootageService(options: {
  recordingsDir: string;
  segments: SegmentStore;
  runs: RunStore;
  holds: HoldStore;
  now: Now;
}): OwnFootageService {
  const { recordingsDir, segments, runs, holds, now } = options;
  return {
    list: (channelId, range) => segments.listOverlapping(channelId, range),
    async listKnown(files) {
      return new Set((await segments.listByFiles(files)).map((row) => row.file));
    },
    pathOf: (file) => pathInside(recordingsDir, file),
    listChannelIds: () => segments.listChannelIds(),
    listHeld: (channelId) => holds.listInForce(now(), channelId),
    async adopt(file) {
      await runs.insert({ id: file.runId, channelId: file.channelId, startedAt: file.startAt });
      await runs.end(file.runId, file.endAt, 'server-stopped');
      await segments.insert(file);
    },
    hold: (span, trx) => holds.insert(span, now(), trx),
  };
}
