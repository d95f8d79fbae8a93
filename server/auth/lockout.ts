const maxAttempts = 10;
const windowMs = 15 * 60_000;
const lockMs = 15 * 60_000;

/** Log-in attempts under one user name that have not (yet) succeeded. */
export interface Attempts {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly lockedUntilAt: number | null;
}

/** How long attempts are of interest; older rows can go. */
export const attemptsKeptMs = windowMs + lockMs;

/** Milliseconds until `attempts` lets the next one in; 0 when not locked. */
export function lockedForMs(attempts: Attempts | undefined, at: number): number {
  return Math.max(0, (attempts?.lockedUntilAt ?? 0) - at);
}

/**
 * Counts one more attempt at `at`: the tenth within 15 minutes of the first locks the name for 15 minutes. An attempt is counted *before* its
 * password is checked, and a right password wipes the count: so a burst sent at once gets no more guesses than one after another.
 */
export function countAttempt(before: Attempts | undefined, at: number): Attempts {
  const isFresh = !before || before.lockedUntilAt !== null || at - before.firstAt > windowMs;
  const count = isFresh ? 1 : before.count + 1;
  return {
    count,
    firstAt: isFresh ? at : before.firstAt,
    lastAt: at,
    lockedUntilAt: count >= maxAttempts ? at + lockMs : null,
  };
}
