import type { Knex } from 'knex';
import { toWire, toWireOrNull, type Now } from '#api/clock.ts';
import { lockByName, type Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Principal } from '#api/http/guard.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { PasswordHasher } from './password-hasher.ts';
import type { NewUser, User, UserChange } from './schema.ts';
import { assertPassword, type Asked } from './service.ts';
import type { Sessions } from './sessions.ts';
import { toUsername, type StoredUser, type UserStore } from './user-store.ts';

export interface UserServiceOptions {
  readonly db: Knex;
  readonly users: UserStore;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly audit: AuditTrail;
  readonly bus: EventBus;
  readonly now: Now;
}

export interface UserService {
  /** Everybody, by user name, those who may no longer log in too. */
  list(): Promise<User[]>;
  /** The new person must change the password first. @throws AppError user.name-taken, auth.password-weak */
  create(request: NewUser, actor: Principal, asked: Asked): Promise<User>;
  /**
   * A new password or `isActive` false ends the person's sessions; a new role counts from the next request.
   * @throws AppError not-found, auth.last-admin, auth.password-weak
   */
  change(id: string, change: UserChange, actor: Principal, asked: Asked): Promise<User>;
}

/** What an administrator does about people. Nobody is ever deleted: the trail keeps naming them. */
export function createUserService(options: UserServiceOptions): UserService {
  const { db, users, sessions, hasher, audit, bus, now } = options;

  async function assertAdminRemains(id: string, trx: Db): Promise<void> {
    const remaining = (await users.list(trx)).filter(
      (user) => user.id !== id && user.isActive && user.role === 'admin',
    );
    if (remaining.length === 0) throw new AppError('auth.last-admin');
  }

  return {
    async list() {
      const locked = await users.listLocked(now());
      return (await users.list()).map((user) => toWireUser(user, locked.has(user.username)));
    },

    async create({ username: text, displayName, role, password }, actor, asked) {
      const username = toUsername(text);
      assertPassword(password, username);
      const passwordHash = await hasher.hash(password);
      const user: StoredUser = {
        id: newId(),
        username,
        displayName,
        role,
        passwordHash,
        locale: 'zh-CN',
        isActive: true,
        mustChangePassword: true,
        createdAt: now(),
        lastLoginAt: null,
      };
      await db.transaction(async (trx) => {
        if (!(await users.insert(user, trx))) throw new AppError('user.name-taken');
        await audit.record(
          {
            action: 'user.created',
            actor,
            subjectType: 'user',
            subjectId: user.id,
            detail: { username, displayName, role },
            request: asked,
          },
          trx,
        );
      });
      bus.emit({ name: 'user.changed', userId: user.id });
      return toWireUser(user, false);
    },

    async change(id, { password, isLocked, ...change }, actor, asked) {
      const known = await users.find(id);
      if (!known) throw new AppError('not-found');
      if (password !== undefined) assertPassword(password, known.username);
      const passwordHash = password === undefined ? undefined : await hasher.hash(password);
      const stored = {
        ...change,
        ...(passwordHash !== undefined && { passwordHash, mustChangePassword: true }),
      };

      await db.transaction(async (trx) => {
        await lockByName(trx, 'users'); // two administrators who demote each other at once must not both succeed
        const before = await users.find(id, trx);
        if (!before) throw new AppError('not-found');
        const after = { ...before, ...change };
        if (before.isActive && before.role === 'admin' && !(after.isActive && after.role === 'admin'))
          await assertAdminRemains(id, trx);
        await users.update(id, stored, now(), trx);
        if (isLocked === false) await users.clearAttempts(before.username, trx);
        if (passwordHash !== undefined || !after.isActive) await sessions.endOfUser(id, { trx });
        const detail = {
          ...changesBetween(before, after),
          ...(password !== undefined && { isPasswordSet: true }),
          ...(isLocked === false && { isLockLifted: true }),
        };
        await audit.record(
          { action: 'user.changed', actor, subjectType: 'user', subjectId: id, detail, request: asked },
          trx,
        );
      });
      sessions.changed({ userId: id });
      bus.emit({ name: 'user.changed', userId: id });
      const user = await users.find(id);
      if (!user) throw new AppError('not-found');
      return toWireUser(user, (await users.listLocked(now())).has(user.username));
    },
  };
}

function changesBetween(before: StoredUser, after: StoredUser): Record<string, unknown> {
  const keys = ['displayName', 'role', 'isActive'] as const;
  const changed = keys.filter((key) => before[key] !== after[key]);
  return Object.fromEntries(changed.map((key) => [key, { from: before[key], to: after[key] }]));
}

function toWireUser(user: StoredUser, isLocked: boolean): User {
  return {
    id: user.id,
    username: user.username,
    displayName: user.displayName,
    role: user.role,
    locale: user.locale,
    isActive: user.isActive,
    mustChangePassword: user.mustChangePassword,
    isLocked,
    createdAt: toWire(user.createdAt),
    lastLoginAt: toWireOrNull(user.lastLoginAt),
  };
}
