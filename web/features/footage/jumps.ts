import type { ChannelTimeline } from '#api/footage/schema.ts';

type Direction = 1 | -1;
/** Being this near to a place counts as being there: a jump from it goes to the next one. */
const nearMs = 500;

/** The nearest of `instants` after (1) or before (-1) `at`; undefined when there is none. */
export function nextOf(instants: readonly number[], at: number, direction: Direction): number | undefined {
  const ahead = instants.filter((instant) => (instant - at) * direction > nearMs);
  if (ahead.length === 0) return undefined;
  return direction > 0 ? Math.min(...ahead) : Math.max(...ahead);
}

/** Where footage begins again after a gap, of any of the channels, ascending. Footage that begins at the edge of what was asked began earlier. */
export function gapEnds(timelines: readonly ChannelTimeline[]): number[] {
  const starts = timelines.flatMap(({ spans, gaps }) => {
    const ends = new Set(gaps.map((gap) => Date.parse(gap.toAt)));
    return spans.map((span) => Date.parse(span.fromAt)).filter((start) => ends.has(start));
  });
  return [...new Set(starts)].toSorted((a, b) => a - b);
}

/** The first instant from `at` on at which any of the channels has footage; `at` itself inside footage; undefined when none is known. */
export function nextFootageAt(timelines: readonly ChannelTimeline[], at: number): number | undefined {
  const starts = timelines.flatMap(({ spans }) =>
    spans.filter((span) => Date.parse(span.toAt) > at).map((span) => Math.max(at, Date.parse(span.fromAt))),
  );
  return starts.length === 0 ? undefined : Math.min(...starts);
}

/** The gap that holds `at`, if one does. */
export function gapAt(
  timeline: ChannelTimeline | undefined,
  at: number,
): ChannelTimeline['gaps'][number] | undefined {
  return timeline?.gaps.find((gap) => Date.parse(gap.fromAt) <= at && at < Date.parse(gap.toAt));
}
