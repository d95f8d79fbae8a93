/** The stretch of time a timeline shows. Epoch ms. */
export interface ViewWindow {
  readonly fromAt: number;
  readonly toAt: number;
}

const minSpanMs = 60_000;
/** The server answers timelines of at most this length. */
const maxSpanMs = 7 * 24 * 3_600_000;

const steps = [1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000);
const bigSteps = [1, 2, 3, 6, 12, 24].map((hours) => hours * 3_600_000);
const secondSteps = [5, 10, 15, 30].map((seconds) => seconds * 1000);

/** `window` scaled by `factor` around `at`, which keeps its place on screen. */
export function zoom(window: ViewWindow, factor: number, at: number): ViewWindow {
  const span = window.toAt - window.fromAt;
  const nextSpan = Math.min(maxSpanMs, Math.max(minSpanMs, span * factor));
  const share = (at - window.fromAt) / span;
  const fromAt = at - share * nextSpan;
  return { fromAt, toAt: fromAt + nextSpan };
}

/** `window` moved by `share` of its length. */
export function pan(window: ViewWindow, share: number): ViewWindow {
  const by = (window.toAt - window.fromAt) * share;
  return { fromAt: window.fromAt + by, toAt: window.toAt + by };
}

/** Where `at` lies in `window`, 0..1 inside it. */
export function shareOf(window: ViewWindow, at: number): number {
  return (at - window.fromAt) / (window.toAt - window.fromAt);
}

/**
 * Instants for the ruler, about `count` of them, on round times of the site's wall clock.
 * @param offsetMs what the site zone adds to UTC
 */
export function rulerMarks(
  window: ViewWindow,
  count: number,
  offsetMs: number,
): { stepMs: number; marks: number[] } {
  const wanted = (window.toAt - window.fromAt) / count;
  const stepMs = [...secondSteps, ...steps, ...bigSteps].find((step) => step >= wanted) ?? 24 * 3_600_000;
  const marks: number[] = [];
  const first = Math.ceil((window.fromAt + offsetMs) / stepMs) * stepMs - offsetMs;
  for (let at = first; at <= window.toAt; at += stepMs) marks.push(at);
  return { stepMs, marks };
}

/** What `timeZone` adds to UTC at `at`, in ms. */
export function zoneOffsetMs(at: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const field = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(
    field('year'),
    field('month') - 1,
    field('day'),
    field('hour'),
    field('minute'),
    field('second'),
  );
  return wall - Math.floor(at / 1000) * 1000;
}
