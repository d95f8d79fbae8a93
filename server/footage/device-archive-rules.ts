import { clip, gapsBetween, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

const minuteMs = 60_000;
export const dayMs = 86_400_000;
/** ONVIF tells the time in whole seconds: what differs by less is the same clock. */
const clockToleranceMs = 1_500;
/** A group of pictures may begin this long before the instant that is asked for. */
export const longestGroupMs = 12_000;
/** Devices round the ends of what they hold to seconds, and the last group may reach beyond. */
const edgeMs = 2_000;
const wholeSeconds = (at: number) => Math.floor(at / 1_000) * 1_000;

/**
 * The skew (device minus server) with which a device's footage is placed: the measured one, but the one used before while the two
 * are equal as far as a clock of whole seconds can tell, so that footage does not move by every measurement. 0 for a clock that is right.
 */
export function skewToUse(measuredMs: number, usedMs: number | null): number {
  const knownMs = usedMs ?? 0;
  return Math.abs(measuredMs - knownMs) <= clockToleranceMs ? knownMs : measuredMs;
}

/** A channel as a device names it. */
export interface ArchivedChannel {
  readonly channelId: string;
  readonly sourceToken: string;
  readonly profileTokens: readonly string[];
}

/**
 * Which recordings belong to which channel: by the video source or a profile that the recording names as its origin. On a device with one
 * channel all are that one's. A recording that names neither belongs to none: footage under the wrong camera's name would be worse than none.
 */
export function matchRecordings<R extends { readonly sourceId?: string }>(
  recordings: readonly R[],
  channels: readonly ArchivedChannel[],
): { channelId: string; recording: R }[] {
  const [only, ...others] = channels;
  return recordings.flatMap((recording) => {
    const owner =
      only && others.length === 0
        ? only
        : channels.find(
            ({ sourceToken, profileTokens }) =>
              recording.sourceId !== undefined &&
              (recording.sourceId === sourceToken || profileTokens.includes(recording.sourceId)),
          );
    return owner ? [{ channelId: owner.channelId, recording }] : [];
  });
}

/**
 * Where own footage is missing inside `range`, ascending. Beside own footage a hole of 1.5 s is none; what is younger than `now - 15 s` may
 * still come.
 */
export function holesIn(own: readonly SpanMs[], range: SpanMs, now: number): SpanMs[] {
  const past = { fromAt: range.fromAt, toAt: Math.min(range.toAt, now - 15_000) };
  if (past.toAt <= past.fromAt) return [];
  const toleranceMs = own.length > 0 ? continuousToleranceMs : 0;
  return gapsBetween(mergeSpans(own, continuousToleranceMs), past).filter(
    ({ fromAt, toAt }) => toAt - fromAt > toleranceMs,
  );
}

/** What of `spans` lies in any of `others`; both merged and ascending. */
export function overlapOf(spans: readonly SpanMs[], others: readonly SpanMs[]): SpanMs[] {
  return spans.flatMap((span) => others.flatMap((other) => clip(span, other) ?? []));
}

/** What of `spans` lies in none of `others`. */
export function without(spans: readonly SpanMs[], others: readonly SpanMs[]): SpanMs[] {
  const merged = mergeSpans(others);
  return spans.flatMap((span) => gapsBetween(merged, span));
}

/** A fetched stretch, device clock. */
export interface FetchedPiece extends SpanMs {
  readonly isWhole: boolean;
}

/**
 * What must be fetched for `wanted` of a recording that holds `held` and was fetched in part; all in the device's clock. Cut at the
 * device's whole minutes, so that neighbouring requests share their pieces. It begins early enough for the key picture before `wanted`.
 * A piece whose end was still growing is fetched again once the device holds more.
 */
export function piecesToFetch(
  wanted: readonly SpanMs[],
  held: readonly SpanMs[],
  pieces: readonly FetchedPiece[],
): SpanMs[] {
  const widened = mergeSpans(
    held.map(({ fromAt, toAt }) => ({ fromAt: wholeSeconds(fromAt), toAt: toAt + edgeMs })),
  );
  const isGrown = (piece: FetchedPiece) =>
    !piece.isWhole && widened.some((span) => span.fromAt < piece.toAt && span.toAt > piece.toAt + edgeMs);
  const known = pieces.filter((piece) => !isGrown(piece));
  const needed = mergeSpans(wanted.map(({ fromAt, toAt }) => ({ fromAt: fromAt - longestGroupMs, toAt })));
  const minutes = mergeSpans(
    needed.map(({ fromAt, toAt }) => ({
      fromAt: Math.floor(fromAt / minuteMs) * minuteMs,
      toAt: Math.ceil(toAt / minuteMs) * minuteMs,
    })),
  );
  const missing = without(overlapOf(minutes, widened), known).flatMap(splitByMinute);
  return missing.filter((piece) => needed.some((span) => clip(piece, span) !== undefined));
}

function splitByMinute({ fromAt, toAt }: SpanMs): SpanMs[] {
  const parts: SpanMs[] = [];
  for (let at = fromAt; at < toAt;) {
    const end = Math.min(toAt, (Math.floor(at / minuteMs) + 1) * minuteMs);
    parts.push({ fromAt: at, toAt: end });
    at = end;
  }
  return parts;
}

/** Seconds of a device's footage that a playback waits for: more would keep the person waiting. */
const aheadMs = 2 * minuteMs;
const behindMs = 20_000;

/**
 * How much of `range` one playback shows when stretches of it (`slow`, ascending) must first be fetched and others are here (`ready`): around
 * `focusAt`, with at most two minutes to fetch behind it and 20 s before. What is here is not held up by what comes later: the person
 * goes on with a next playback.
 */
export function playableRange(
  range: SpanMs,
  slow: readonly SpanMs[],
  ready: readonly SpanMs[],
  focusAt: number,
): SpanMs {
  const startAt = focusAt - behindMs;
  let { fromAt, toAt } = range;
  for (const span of slow) if (span.fromAt < startAt) fromAt = Math.max(fromAt, Math.min(span.toAt, startAt));
  let budgetMs = aheadMs;
  for (const span of slow) {
    const begin = Math.max(span.fromAt, startAt);
    if (span.toAt <= begin) continue;
    const isLater = begin > focusAt + aheadMs;
    if (isLater && ready.some((each) => isOverlapping(each, { fromAt: focusAt, toAt: begin }))) {
      toAt = Math.min(toAt, begin);
      break;
    }
    if (span.toAt - begin > budgetMs) {
      toAt = Math.min(toAt, begin + budgetMs);
      break;
    }
    budgetMs -= span.toAt - begin;
  }
  return { fromAt, toAt: Math.max(toAt, fromAt) };
}
