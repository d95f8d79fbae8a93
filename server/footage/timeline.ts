import { clip, gapsBetween, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';

/** Two segments closer than this are one stretch, and a shorter hole at an end of the range is none: cameras jitter. */
export const continuousToleranceMs = 1_500;
/** The newest fragment is written about one GOP late; a missing stretch this short up to now is no gap. */
const liveEdgeMs = 15_000;

/** Why a stretch is missing. `null` on a gap means that nobody knows. */
export type GapCause =
  | 'camera-lost'
  | 'server-stopped'
  | 'disk-full'
  | 'recording-off'
  | 'stream-changed'
  | 'deleted-by-retention'
  | 'deleted-before-minimum'
  | 'file-missing'
  | 'not-recorded-yet';

/** One stretch of time in which a recorder wrote without a break; `endedAt` null while it still does. */
export interface RunFacts {
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly endReason: string | null;
}
export interface Removal extends SpanMs {
  readonly cause: string;
}

export interface TimelineFacts {
  readonly range: SpanMs;
  readonly now: number;
  /** Stretches recorded here, in any order, the finished part of the open segment included. */
  readonly recorded: readonly SpanMs[];
  /** What the device itself holds. */
  readonly onDevice: readonly SpanMs[];
  /** Runs that touch the range and the last one before it, in any order. */
  readonly runs: readonly RunFacts[];
  readonly removals: readonly Removal[];
  readonly holds: readonly SpanMs[];
}
export interface TimelineParts {
  /** Of all sources together. */
  readonly spans: readonly SpanMs[];
  readonly ownSpans: readonly SpanMs[];
  readonly gaps: readonly (SpanMs & { readonly cause: string | null })[];
  readonly heldSpans: readonly SpanMs[];
}

/** What exists and what is missing inside `range`: merged, ascending, cut to the range; the future is neither. */
export function buildTimeline(facts: TimelineFacts): TimelineParts {
  const { range, now } = facts;
  const inRange = (all: readonly SpanMs[]) =>
    mergeSpans(all, continuousToleranceMs).flatMap((span) => clip(span, range) ?? []);
  const spans = inRange([...facts.recorded, ...facts.onDevice]);
  const past = { fromAt: range.fromAt, toAt: Math.min(range.toAt, now) };
  const isRecordingNow = facts.runs.some((run) => run.endedAt === null);
  const gaps = past.toAt <= past.fromAt ? [] : gapsBetween(spans, past);
  return {
    spans,
    ownSpans: inRange(facts.recorded),
    gaps: gaps
      .filter((gap) => gap.toAt - gap.fromAt > continuousToleranceMs)
      .filter((gap) => !(isRecordingNow && gap.toAt === now && gap.toAt - gap.fromAt <= liveEdgeMs))
      .flatMap((gap) => splitByRemovals(gap, facts.removals))
      .map((gap) => ({ ...gap, cause: gap.cause ?? causeFromRuns(gap, facts.runs) })),
    heldSpans: mergeSpans(facts.holds).flatMap((span) => clip(span, range) ?? []),
  };
}

/** Cuts a gap where a removal begins or ends, so that "deleted" and "never recorded" are told apart. */
function splitByRemovals(gap: SpanMs, removals: readonly Removal[]): (SpanMs & { cause: string | null })[] {
  const parts: (SpanMs & { cause: string | null })[] = [];
  let fromAt = gap.fromAt;
  for (const removal of removals.toSorted((a, b) => a.fromAt - b.fromAt)) {
    if (!isOverlapping(removal, { fromAt, toAt: gap.toAt })) continue;
    // The removed file may have been cut a moment before its neighbour: crumbs of the tolerance belong to the removal.
    const start = removal.fromAt - fromAt <= continuousToleranceMs ? fromAt : removal.fromAt;
    const end = gap.toAt - removal.toAt <= continuousToleranceMs ? gap.toAt : removal.toAt;
    if (start > fromAt) parts.push({ fromAt, toAt: start, cause: null });
    const last = parts.at(-1);
    if (last?.cause === removal.cause && last.toAt === start)
      parts[parts.length - 1] = { ...last, toAt: end };
    else parts.push({ fromAt: start, toAt: end, cause: removal.cause });
    fromAt = end;
    if (fromAt >= gap.toAt) break;
  }
  if (fromAt < gap.toAt) parts.push({ fromAt, toAt: gap.toAt, cause: null });
  return parts;
}

function causeFromRuns(gap: SpanMs, runs: readonly RunFacts[]): string | null {
  const before = runs
    .filter((run) => run.startedAt <= gap.fromAt + continuousToleranceMs)
    .toSorted((a, b) => a.startedAt - b.startedAt)
    .at(-1);
  if (!before) return 'not-recorded-yet';
  const isInsideRun = before.endedAt === null || before.endedAt >= gap.toAt;
  return isInsideRun ? null : before.endReason;
}
