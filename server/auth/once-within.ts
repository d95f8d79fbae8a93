import type { Now } from '#api/clock.ts';

/**
 * Tells the first of many like requests, so that the trail gets one row for a thing a person does over and over: watching a camera,
 * fetching a download in pieces. Forgets a key `windowMs` after its first use; keeps at most 10,000.
 */
export function createOnceWithin(windowMs: number, now: Now): (key: string) => boolean {
  const firstAt = new Map<string, number>();
  return (key) => {
    const at = now();
    for (const [other, seenAt] of firstAt) {
      if (at - seenAt < windowMs && firstAt.size <= 10_000) break; // in order of first use: the rest is younger
      firstAt.delete(other);
    }
    if (firstAt.has(key)) return false;
    firstAt.set(key, at);
    return true;
  };
}
