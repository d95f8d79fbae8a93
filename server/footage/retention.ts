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
/** For how many days footage must and may be kept; `minDays` is at most `maxDays`. */
export interface KeepRule {
  readonly minDays: number;
  readonly maxDays: number;
}

export const dayMs = 24 * 3600 * 1000;

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

/** The files of one channel, oldest first, fetched as they are looked at. */
export interface ChannelQueue<C extends Candidate> {
  readonly channelId: string;
  readonly rule: KeepRule;
  /** The oldest that was not taken yet; undefined when there is none left. Safe to repeat. */
  head(): Promise<C | undefined>;
  /** Takes the head off. */
  take(): void;
}

/** Why a file goes: over its maximum; past its minimum, for room; or before its minimum, because nothing else was left. */
export type DeletionReason = 'age' | 'space' | 'breach';
/** One file to delete, and why. */
export interface Deletion<C extends Candidate> {
  readonly segment: C;
  readonly why: DeletionReason;
}

/**
 * Which files go: all that are older than their maximum, then as many more as free `toFreeBytes`. Those go in the order in which their
 * minimum ends, over all channels: what is longest past its minimum first, and, when the disk leaves no choice, what lacks least of it.
 * Protected files stay whatever their age. The open file is no candidate: it is not in the index yet.
 */
export async function* chooseDeletions<C extends Candidate>(facts: {
  readonly queues: readonly ChannelQueue<C>[];
  readonly protections: readonly Protection[];
  readonly now: number;
  readonly toFreeBytes: number;
}): AsyncGenerator<Deletion<C>> {
  const { queues, now } = facts;
  const byChannel = Map.groupBy(facts.protections, (entry) => entry.channelId);
  const isProtected = (segment: C) => {
    const span = { fromAt: segment.startAt, toAt: segment.endAt };
    return byChannel.get(segment.channelId)?.some((entry) => isOverlapping(entry, span)) ?? false;
  };
  let remaining = facts.toFreeBytes;
  for (const queue of queues) {
    const cutoffAt = now - queue.rule.maxDays * dayMs;
    for (let head = await queue.head(); head && head.endAt <= cutoffAt; head = await queue.head()) {
      queue.take();
      if (isProtected(head)) continue;
      remaining -= head.sizeBytes;
      yield { segment: head, why: 'age' };
    }
  }
  while (remaining > 0) {
    const first = await firstDue(queues);
    if (!first) return;
    first.queue.take();
    if (isProtected(first.segment)) continue;
    remaining -= first.segment.sizeBytes;
    yield { segment: first.segment, why: first.dueAt <= now ? 'space' : 'breach' };
  }
}

async function firstDue<C extends Candidate>(queues: readonly ChannelQueue<C>[]) {
  let first: { queue: ChannelQueue<C>; segment: C; dueAt: number } | undefined;
  for (const queue of queues) {
    const segment = await queue.head();
    if (!segment) continue;
    const dueAt = segment.endAt + queue.rule.minDays * dayMs;
    if (!first || dueAt < first.dueAt) first = { queue, segment, dueAt };
  }
  return first;
}

export interface RoomFacts {
  readonly usedBytes: number;
  readonly freeBytes: number | null;
  readonly minFreeBytes: number;
  readonly maxBytes: number | null;
  readonly bytesPerDay: number | null;
  /** What all channels need for the minimum of their classes at the measured bitrates; null while none is measured. */
  readonly minimumBytes: number | null;
  readonly warnDaysLeft: number;
  readonly oldestAt: number | null;
  /** Footage went before its minimum lately. */
  readonly isBelowMinimum: boolean;
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
  /** held-fills-all | disk-full | room-short | below-minimum; null when all is well. */
  readonly reason: string | null;
}

/**
 * How the room for recordings is. Warns before footage has to go sooner than the minimum of its class, and keeps warning while it does.
 * A disk that holds all minimum days is no warning, however little is free on it.
 */
export function judgeRoom(facts: RoomFacts): RoomVerdict {
  const { usedBytes, freeBytes, bytesPerDay, minimumBytes } = facts;
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
  if (facts.isBelowMinimum) return { ...base, level: 'warning', reason: 'below-minimum' };
  const isEnough = limitBytes === null || minimumBytes === null || minimumBytes <= limitBytes;
  if (isEnough || daysLeft === null || daysLeft >= facts.warnDaysLeft)
    return { ...base, level: 'ok', reason: null };
  return { ...base, level: 'warning', reason: 'room-short' };
}

/** What a class writes and may keep. */
export interface ClassLoad extends KeepRule {
  readonly id: string;
  /** At the measured bitrates; null while none of its channels records. */
  readonly bytesPerDay: number | null;
}

/**
 * How many days each class will hold once the room is used up: retention makes room in the order in which minimums end, so every class
 * gets its minimum plus the same number of days (fewer than none when the room is short), within 0 and its maximum.
 * @returns days by class id; null where the class writes nothing that could be measured, or the limit is not known
 */
export function forecastDays(
  loads: readonly ClassLoad[],
  limitBytes: number | null,
): Map<string, number | null> {
  const daysOf = (load: KeepRule, extra: number) => Math.min(load.maxDays, Math.max(0, load.minDays + extra));
  const needOf = (extra: number) =>
    loads.reduce((sum, load) => sum + (load.bytesPerDay ?? 0) * daysOf(load, extra), 0);
  let low = -Math.max(0, ...loads.map((load) => load.minDays));
  let high = Math.max(0, ...loads.map((load) => load.maxDays));
  if (limitBytes !== null && needOf(high) > limitBytes) {
    for (let step = 0; step < 60; step += 1) {
      const middle = (low + high) / 2;
      if (needOf(middle) > limitBytes) high = middle;
      else low = middle;
    }
  } else low = high;
  return new Map(
    loads.map((load) => [
      load.id,
      limitBytes === null || load.bytesPerDay === null ? null : daysOf(load, low),
    ]),
  );
}
