import { clip, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

/** Causes for which nobody is to blame: nothing was to be recorded, or it went when its time had come. */
const excused: ReadonlySet<string | null> = new Set([
  'recording-off',
  'not-recorded-yet',
  'deleted-by-retention',
]);

/** One day of one channel: how much is there, how much should be and is not, and why. */
export interface DayContinuity {
  readonly day: string;
  readonly recordedMs: number;
  readonly missingMs: number;
  readonly excusedMs: number;
  readonly longestGapMs: number;
  /** Of all that is not there, longest first. */
  readonly causes: readonly { readonly cause: string | null; readonly totalMs: number }[];
}

/**
 * What the spans and gaps of a time line come to, day by day. Days that have not begun are left out; of today counts what has passed.
 * What lies between spans without being a gap (cameras jitter) counts as recorded.
 */
export function continuityOf(
  timeline: { readonly gaps: readonly (SpanMs & { readonly cause: string | null })[] },
  days: readonly (SpanMs & { readonly day: string })[],
  now: number,
): DayContinuity[] {
  return days
    .filter((day) => day.fromAt < now)
    .map((day) => {
      const past = { fromAt: day.fromAt, toAt: Math.min(day.toAt, now) };
      const gaps = timeline.gaps.flatMap(({ cause, ...gap }) => {
        const part = clip(gap, past);
        return part ? [{ ...part, cause }] : [];
      });
      const sumOf = (some: readonly SpanMs[]) => some.reduce((sum, gap) => sum + gap.toAt - gap.fromAt, 0);
      const missing = gaps.filter((gap) => !excused.has(gap.cause));
      const causes = [...Map.groupBy(gaps, (gap) => gap.cause)]
        .map(([cause, some]) => ({ cause, totalMs: sumOf(some) }))
        .toSorted((a, b) => b.totalMs - a.totalMs);
      return {
        day: day.day,
        recordedMs: past.toAt - past.fromAt - sumOf(gaps),
        missingMs: sumOf(missing),
        excusedMs: sumOf(gaps) - sumOf(missing),
        longestGapMs: longestOf(missing),
        causes,
      };
    });
}

/** Neighbouring gaps of different causes are one outage to whoever looks for the picture. */
function longestOf(gaps: readonly SpanMs[]): number {
  let longest = 0;
  let begun: number | undefined;
  let endAt = -Infinity;
  for (const gap of gaps) {
    if (begun === undefined || gap.fromAt - endAt > continuousToleranceMs) begun = gap.fromAt;
    endAt = gap.toAt;
    longest = Math.max(longest, endAt - begun);
  }
  return longest;
}
