/** A stretch of time, epoch ms, end exclusive. */
export interface SpanMs {
  readonly fromAt: number;
  readonly toAt: number;
}

/** Whether the two share any time. Touching ends do not count. */
export function isOverlapping(a: SpanMs, b: SpanMs): boolean {
  return a.fromAt < b.toAt && b.fromAt < a.toAt;
}

/** The part of `span` inside `range`, or undefined when there is none. */
export function clip(span: SpanMs, range: SpanMs): SpanMs | undefined {
  const fromAt = Math.max(span.fromAt, range.fromAt);
  const toAt = Math.min(span.toAt, range.toAt);
  return fromAt < toAt ? { fromAt, toAt } : undefined;
}

/** `spans`, ascending, with those that overlap or lie at most `toleranceMs` apart joined into one. */
export function mergeSpans(spans: readonly SpanMs[], toleranceMs = 0): SpanMs[] {
  const merged: { fromAt: number; toAt: number }[] = [];
  for (const { fromAt, toAt } of spans.toSorted((a, b) => a.fromAt - b.fromAt)) {
    const last = merged.at(-1);
    if (last && fromAt <= last.toAt + toleranceMs) last.toAt = Math.max(last.toAt, toAt);
    else merged.push({ fromAt, toAt });
  }
  return merged;
}

/** What of `range` no span covers, ascending. `spans` must be merged and ascending. */
export function gapsBetween(spans: readonly SpanMs[], range: SpanMs): SpanMs[] {
  const gaps: SpanMs[] = [];
  let fromAt = range.fromAt;
  for (const span of spans) {
    if (span.toAt <= fromAt) continue;
    if (span.fromAt >= range.toAt) break;
    if (span.fromAt > fromAt) gaps.push({ fromAt, toAt: span.fromAt });
    fromAt = span.toAt;
  }
  if (fromAt < range.toAt) gaps.push({ fromAt, toAt: range.toAt });
  return gaps;
}
