import { randomInt } from 'node:crypto';
import type { Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import type { PasswordHasher } from './password-hasher.ts';
import type { UserStore } from './user-store.ts';

/** The name of the first administrator. */
export const firstAdminName = 'admin';

/** Without those that look alike on a screen or a note. */
const letters = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Four groups of five, 99 bits: to be typed once from a screen. */
export function makePassword(): string {
  const group = () => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('');
  return Array.from({ length: 4 }, group).join('-');
}

/**
 * Sees to it that somebody can log in for the first time: with nobody in the database, `admin` is made with `adminPassword`, or with a one-time
 * password that the first log-in must change. As long as nobody has ever logged in, each start does it anew: a printed password that was lost
 * costs a restart, not the installation.
 * @returns the one-time password to show to the person at the server, or undefined when there is none; it is kept nowhere
 */
export async function ensureFirstAdmin(options: {
  users: UserStore;
  hasher: PasswordHasher;
  adminPassword: string | undefined;
  now: Now;
}): Promise<string | undefined> {
  const { users, hasher, adminPassword, now } = options;
  const everybody = await users.list();
  const [first] = everybody;
  const isUntouched =
    everybody.length === 1 && first?.username === firstAdminName && first.lastLoginAt === null;
  if (everybody.length > 0 && !isUntouched) return undefined;

  const password = adminPassword ?? makePassword();
  const oneTime = adminPassword === undefined ? password : undefined;
  const secret = {
    passwordHash: await hasher.hash(password),
    mustChangePassword: oneTime !== undefined,
  };
  if (first) {
    await users.update(first.id, secret, now());
    return oneTime;
  }
  const isMade = await users.insert({
    id: newId(),
    username: firstAdminName,
    displayName: '管理员',
    role: 'admin',
    locale: 'zh-CN',
    isActive: true,
    createdAt: now(),
    lastLoginAt: null,
    ...secret,
  });
  return isMade ? oneTime : undefined; // another server on the same database was quicker and shows its own
}
