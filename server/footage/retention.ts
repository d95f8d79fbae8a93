import { isOverlapping, type SpanMs } from './spans.ts';

/** A finished file as retention sees it. */
export interface Candidate {
  readonly id: string;
  readonly channelId: string;
  readonly startAt: number;
  readonly endAt: number;
  readonly sizeBytes: number;
}
/** A stretch of a channel that must stay: a hold, or the source of an export that has not ended. */
export interface Protection extends SpanMs {
  readonly channelId: string;
}

/** Bytes that must go for the limits to be met again; 0 when they are met. */
export function bytesToFree(facts: {
  readonly usedBytes: number;
  /** null: the disk does not say. */
  readonly freeBytes: number | null;
  readonly minFreeBytes: number;
  readonly maxBytes: number | null;
  /** Freed on top, so that what is being written until the next look fits too. */
  readonly headroomBytes: number;
}): number {
  const { usedBytes, freeBytes, minFreeBytes, maxBytes, headroomBytes } = facts;
  const overLimit = maxBytes === null ? 0 : usedBytes + headroomBytes - maxBytes;
  const belowFloor = freeBytes === null ? 0 : minFreeBytes + headroomBytes - freeBytes;
  return Math.max(0, overLimit, belowFloor);
}

/** One file to delete, and why. */
export interface Deletion<C extends Candidate> {
  readonly segment: C;
  readonly why: 'age' | 'space';
}

/**
 * Which of `candidates` (oldest first) go: those older than `cutoffAt`, and as many more, oldest first, as free `toFreeBytes`.
 * Held and export-protected files stay whatever their age. The open file is no candidate: it is not in the index yet.
 */
export function decideRetention<C extends Candidate>(facts: {
  readonly candidates: readonly C[];
  readonly protections: readonly Protection[];
  readonly cutoffAt: number;
  readonly toFreeBytes: number;
}): Deletion<C>[] {
  const byChannel = Map.groupBy(facts.protections, (entry) => entry.channelId);
  const deletions: Deletion<C>[] = [];
  let remaining = facts.toFreeBytes;
  for (const segment of facts.candidates) {
    const isOld = segment.endAt <= facts.cutoffAt;
    if (!isOld && remaining <= 0) break;
    const span = { fromAt: segment.startAt, toAt: segment.endAt };
    if (byChannel.get(segment.channelId)?.some((entry) => isOverlapping(entry, span))) continue;
    deletions.push({ segment, why: isOld ? 'age' : 'space' });
    remaining -= segment.sizeBytes;
  }
  return deletions;
}

export interface RoomFacts {
  readonly usedBytes: number;
  readonly freeBytes: number | null;
  readonly minFreeBytes: number;
  readonly maxBytes: number | null;
  readonly bytesPerDay: number | null;
  readonly retentionDays: number;
  readonly warnDaysLeft: number;
  readonly oldestAt: number | null;
  readonly now: number;
  /** Room is wanted, and nothing may go: all that is left is protected, or there is nothing. */
  readonly isStuck: boolean;
  /** A recorder has stopped for want of room. */
  readonly isDiskFull: boolean;
}
export interface RoomVerdict {
  readonly level: 'ok' | 'warning' | 'critical';
  /** What recordings may use in all; null when neither a limit nor the disk's size is known. */
  readonly limitBytes: number | null;
  readonly daysLeft: number | null;
  /** held-fills-all | disk-full | room-short | removed-early; null when all is well. */
  readonly reason: string | null;
}

const dayMs = 24 * 3600 * 1000;

/**
 * How the room for recordings is. Warns before old footage has to go sooner than `retentionDays`, and keeps warning while it does.
 * A disk that holds all wanted days is no warning, however little is free on it.
 */
export function judgeRoom(facts: RoomFacts): RoomVerdict {
  const { usedBytes, freeBytes, bytesPerDay } = facts;
  const byDisk = freeBytes === null ? null : Math.max(0, usedBytes + freeBytes - facts.minFreeBytes);
  const limits = [byDisk, facts.maxBytes].filter((limit) => limit !== null);
  const limitBytes = limits.length === 0 ? null : Math.min(...limits);
  const daysLeft =
    limitBytes === null || bytesPerDay === null || bytesPerDay <= 0
      ? null
      : Math.max(0, limitBytes - usedBytes) / bytesPerDay;
  const base = { limitBytes, daysLeft };
  if (facts.isStuck && facts.oldestAt !== null)
    return { ...base, level: 'critical', reason: 'held-fills-all' };
  if (facts.isStuck || facts.isDiskFull) return { ...base, level: 'critical', reason: 'disk-full' };
  const isEnough =
    limitBytes === null || bytesPerDay === null || bytesPerDay * facts.retentionDays <= limitBytes;
  if (isEnough || daysLeft === null || daysLeft >= facts.warnDaysLeft)
    return { ...base, level: 'ok', reason: null };
  const keptDays = facts.oldestAt === null ? 0 : (facts.now - facts.oldestAt) / dayMs;
  const isFullAlready = daysLeft < 0.02 && keptDays < facts.retentionDays;
  return { ...base, level: 'warning', reason: isFullAlready ? 'removed-early' : 'room-short' };
}
