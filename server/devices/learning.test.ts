import { afterEach, expect, it, vi } from 'vitest';
import { silentLog } from '#media/log.ts';
import { createLearning } from './learning.ts';

type Options = Parameters<typeof createLearning>[0];
afterEach(() => vi.useRealTimers());

it('forgets a password after 30 minutes, when it is taken, and at the end', async () => {
  vi.useFakeTimers();
  const learning = createLearning({ log: silentLog } as unknown as Options);
  const credentials = { username: 'admin', password: 'x' };
  learning.holdCredentials('a', credentials);
  expect(learning.takeCredentials('a')).toEqual(credentials);
  expect(learning.takeCredentials('a')).toBeUndefined();
  learning.holdCredentials('a', credentials);
  vi.advanceTimersByTime(20 * 60_000);
  learning.holdCredentials('a', credentials); // asked again: the time starts anew
  vi.advanceTimersByTime(29 * 60_000);
  learning.holdCredentials('b', credentials);
  vi.advanceTimersByTime(60_000);
  expect(learning.takeCredentials('a')).toBeUndefined();
  await learning.close();
  expect(learning.takeCredentials('b')).toBeUndefined();
});
