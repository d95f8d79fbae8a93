import { expect, it } from 'vitest';
import { countAttempt, lockedForMs, type Attempts } from './lockout.ts';

const minuteMs = 60_000;
function attemptsAt(...times: number[]): Attempts | undefined {
  return times.reduce<Attempts | undefined>((before, at) => countAttempt(before, at), undefined);
}

it('locks for 15 minutes at the tenth attempt within 15 minutes', () => {
  const nine = attemptsAt(...Array.from({ length: 9 }, (_, index) => index * 1000));
  expect(lockedForMs(nine, 9000)).toBe(0);
  const ten = countAttempt(nine, 15 * minuteMs);
  expect(lockedForMs(ten, 15 * minuteMs)).toBe(15 * minuteMs);
  expect(lockedForMs(ten, 30 * minuteMs - 1)).toBe(1);
  expect(lockedForMs(ten, 30 * minuteMs)).toBe(0);
});

it('starts anew when the first attempt is more than 15 minutes ago', () => {
  const nine = attemptsAt(...Array.from({ length: 9 }, () => 0));
  expect(countAttempt(nine, 15 * minuteMs + 1)).toMatchObject({ count: 1, lockedUntilAt: null });
});

it('starts anew after a lock has passed', () => {
  const ten = attemptsAt(...Array.from({ length: 10 }, () => 0));
  expect(countAttempt(ten, 15 * minuteMs)).toMatchObject({
    count: 1,
    firstAt: 15 * minuteMs,
    lockedUntilAt: null,
  });
});

it('lets somebody without attempts in', () => {
  expect(lockedForMs(undefined, 0)).toBe(0);
});
