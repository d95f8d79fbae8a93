import { beforeEach, expect, it, vi } from 'vitest';
import type { SessionStore, StoredSession } from './session-store.ts';
import { createSessions, hashOfToken, type Sessions } from './sessions.ts';

const token = 'a'.repeat(43);
const hash = hashOfToken(token);
let now: number;
let stored: StoredSession | undefined;
let find: ReturnType<typeof vi.fn<SessionStore['find']>>;
let touch: ReturnType<typeof vi.fn<SessionStore['touch']>>;
let sessions: Sessions;
beforeEach(() => {
  now = 1_000_000;
  stored = {
    principal: {
      userId: 'u',
      username: 'u',
      displayName: 'u',
      role: 'viewer',
      sessionHash: hash,
      csrfToken: 'c',
      mustChangePassword: false,
    },
    lastSeenAt: now,
    expiresAt: now + 12 * 3_600_000,
  };
  find = vi.fn(async (wanted) => (wanted === hash ? stored : undefined));
  touch = vi.fn(async () => undefined);
  sessions = createSessions({
    store: { find, touch } as Partial<SessionStore> as SessionStore,
    now: () => now,
  });
});

it('asks the database once in 30 s', async () => {
  for (let index = 0; index < 100; index++)
    expect(await sessions.resolve(token)).toMatchObject({ userId: 'u' });
  expect(find).toHaveBeenCalledTimes(1);
  now += 29_999;
  await sessions.resolve(token);
  expect(find).toHaveBeenCalledTimes(1);
  now += 1;
  await sessions.resolve(token);
  expect(find).toHaveBeenCalledTimes(2);
});

it('sees within 30 s what another server ended', async () => {
  await sessions.resolve(token);
  stored = undefined;
  now += 30_000;
  expect(await sessions.resolve(token)).toBeUndefined();
});

it('forgets a session at once when told', async () => {
  await sessions.resolve(token);
  stored = undefined;
  sessions.changed({ sessionHash: hash });
  expect(await sessions.resolve(token)).toBeUndefined();
});

it('does not keep an answer that was on its way while the session ended', async () => {
  let answer: (session: StoredSession | undefined) => void = () => undefined;
  find.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const asked = sessions.resolve(token);
  const before = stored;
  stored = undefined;
  sessions.changed({ userId: 'u' });
  answer(before);
  await asked;
  expect(await sessions.resolve(token)).toBeUndefined();
});

it('writes down once a minute that it is in use, and a look by the program does not count', async () => {
  await sessions.resolve(token);
  now += 59_000;
  await sessions.resolve(token);
  expect(touch).not.toHaveBeenCalled();
  now += 1_000;
  await sessions.resolve(token, { isActivity: false });
  expect(touch).not.toHaveBeenCalled();
  await sessions.resolve(token);
  expect(touch).toHaveBeenCalledExactlyOnceWith(hash, now);
});

it('ends for idleness though the program looks every few seconds', async () => {
  await sessions.resolve(token);
  for (let minute = 0; minute < 119; minute++) {
    now += 60_000;
    expect(await sessions.resolve(token, { isActivity: false })).toBeDefined();
  }
  now += 60_000;
  expect(await sessions.resolve(token, { isActivity: false })).toBeUndefined();
});

it('tells its listeners until they end', () => {
  const listener = vi.fn();
  const end = sessions.onChanged(listener);
  sessions.changed({ userId: 'u' });
  end();
  sessions.changed({ userId: 'u' });
  expect(listener).toHaveBeenCalledExactlyOnceWith({ userId: 'u' });
});
