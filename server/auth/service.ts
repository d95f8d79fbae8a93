import type { FastifyRequest } from 'fastify';
import type { Knex } from 'knex';
import { toWire, type Now } from '#api/clock.ts';
import { lockByName } from '#api/db/database.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Authenticate, Principal } from '#api/http/guard.ts';
import type { SettingsService } from '#api/settings/service.ts';
import type { AuditTrail } from './audit-trail.ts';
import { attemptsKeptMs, countAttempt, lockedForMs } from './lockout.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { passwordProblem } from './password-rules.ts';
import { permissionsByRole } from './permissions.ts';
import type {
  ChangeOwnPassword,
  ChangeOwnProfile,
  FirstRunRequest,
  LoginRequest,
  Session,
} from './schema.ts';
import type { Sessions } from './sessions.ts';
import { toUsername, type StoredUser, type UserStore } from './user-store.ts';

/** What of a request the trail and the session list keep. */
export type Asked = Pick<FastifyRequest, 'ip' | 'id' | 'headers'>;

export interface AuthServiceOptions {
  readonly db: Knex;
  readonly users: UserStore;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly audit: AuditTrail;
  readonly settings: SettingsService;
  readonly bus: EventBus;
  readonly siteTimeZone: string;
  readonly now: Now;
  /** The cookie's value in a request, if it has one. */
  readonly tokenOf: (request: FastifyRequest) => string | undefined;
}

export interface AuthService {
  readonly authenticate: Authenticate;
  /**
   * @returns the cookie's new value, and the session
   * @throws AppError auth.wrong-password for any wrong pair; auth.locked with `retryAfterSeconds` in its details, also for names nobody has
   */
  logIn(request: LoginRequest, asked: Asked): Promise<{ token: string; session: Session }>;
  logOut(principal: Principal, asked: Asked): Promise<void>;
  /** The session as the console wants it. @throws AppError auth.required when it ended meanwhile */
  getSession(principal: Principal): Promise<Session>;
  changeOwnProfile(principal: Principal, change: ChangeOwnProfile): Promise<void>;
  /** Ends the person's other sessions. @throws AppError auth.wrong-password, auth.locked, auth.password-weak */
  changeOwnPassword(principal: Principal, change: ChangeOwnPassword, asked: Asked): Promise<void>;
  /** @throws AppError setup.done; auth.must-change-password without a new password while the first one stands; auth.password-weak */
  finishFirstRun(principal: Principal, request: FirstRunRequest, asked: Asked): Promise<void>;
  /** Deletes sessions and log-in attempts that are of no interest any more. */
  sweep(): Promise<void>;
}

/** Log-in and what a person does about themselves. */
export function createAuthService(options: AuthServiceOptions): AuthService {
  const { db, users, sessions, hasher, audit, settings, bus, siteTimeZone, now, tokenOf } = options;

  /** Counts the attempt and refuses it while the name is locked. */
  async function takeAttempt(username: string, asked: Asked, known: StoredUser | undefined): Promise<void> {
    const at = now();
    const taken = await db.transaction(async (trx) => {
      await lockByName(trx, `log-in ${username}`);
      const before = await users.findAttempts(username, trx);
      const lockedMs = lockedForMs(before, at);
      if (lockedMs > 0) return { lockedMs, isLockedNow: false };
      const after = countAttempt(before, at);
      await users.putAttempts(username, after, trx);
      return { lockedMs: 0, isLockedNow: after.lockedUntilAt !== null };
    });
    if (taken.isLockedNow) await recordVisit('user.locked', 'failed', username, known, asked);
    if (taken.lockedMs === 0) return;
    await recordVisit('session.refused', 'denied', username, known, asked, 'locked');
    throw new AppError('auth.locked', { retryAfterSeconds: Math.ceil(taken.lockedMs / 1000) });
  }

  function recordVisit(
    action: string,
    outcome: 'failed' | 'denied',
    username: string,
    known: StoredUser | undefined,
    asked: Asked,
    reason?: string,
  ): Promise<void> {
    return audit.record({
      action,
      outcome,
      actor: { visitor: known ? known.username : maskName(username) },
      ...(known && { subjectType: 'user', subjectId: known.id }),
      ...(reason && { detail: { reason } }),
      request: asked,
    });
  }

  async function setOwnPassword(principal: Principal, newPassword: string, asked: Asked): Promise<void> {
    assertPassword(newPassword, principal.username);
    const passwordHash = await hasher.hash(newPassword);
    await db.transaction(async (trx) => {
      const change = { passwordHash, mustChangePassword: false };
      await users.update(principal.userId, change, now(), trx);
      await sessions.endOfUser(principal.userId, { keep: principal.sessionHash, trx });
      await audit.record(
        {
          action: 'user.password-changed',
          actor: principal,
          subjectType: 'user',
          subjectId: principal.userId,
          request: asked,
        },
        trx,
      );
    });
    sessions.changed({ userId: principal.userId });
  }

  return {
    async authenticate(request, { isActivity = true } = {}) {
      const token = tokenOf(request);
      return token === undefined ? undefined : sessions.resolve(token, { isActivity });
    },

    async logIn({ username: text, password }, asked) {
      const username = toUsername(text);
      const user = await users.findByUsername(username);
      await takeAttempt(username, asked, user);
      const mayLogIn = user?.isActive ? user : undefined;
      const isRight = await hasher.verify(mayLogIn?.passwordHash, password);
      if (!mayLogIn || !isRight) {
        const reason = user ? (user.isActive ? 'wrong-password' : 'inactive') : 'unknown-name';
        await recordVisit('session.refused', 'failed', username, user, asked, reason);
        throw new AppError('auth.wrong-password');
      }
      const at = now();
      const userAgent = asked.headers['user-agent'];
      const opened = await db.transaction(async (trx) => {
        await users.clearAttempts(username, trx);
        await users.update(mayLogIn.id, { lastLoginAt: at }, at, trx);
        const session = await sessions.open({ userId: mayLogIn.id, ip: asked.ip, userAgent }, trx);
        const actor = { userId: mayLogIn.id, displayName: mayLogIn.displayName };
        await audit.record({ action: 'session.opened', actor, request: asked }, trx);
        return session;
      });
      return { token: opened.token, session: toSession(mayLogIn, { ...opened, siteTimeZone }) };
    },

    async logOut(principal, asked) {
      await db.transaction(async (trx) => {
        await sessions.end(principal.sessionHash, trx);
        await audit.record({ action: 'session.closed', actor: principal, request: asked }, trx);
      });
      sessions.changed({ sessionHash: principal.sessionHash });
    },

    async getSession(principal) {
      const user = await users.find(principal.userId);
      const expiresAt = await sessions.findExpiry(principal.sessionHash);
      if (!user || expiresAt === undefined) throw new AppError('auth.required');
      return toSession(user, { csrfToken: principal.csrfToken, expiresAt, siteTimeZone });
    },

    async changeOwnProfile(principal, { locale }) {
      await users.update(principal.userId, { locale }, now());
      bus.emit({ name: 'user.changed', userId: principal.userId });
    },

    async changeOwnPassword(principal, { currentPassword, newPassword }, asked) {
      const user = await users.find(principal.userId);
      if (!user) throw new AppError('auth.required');
      await takeAttempt(user.username, asked, user); // a stolen session must not guess faster than a visitor
      if (!(await hasher.verify(user.passwordHash, currentPassword))) {
        await recordVisit('user.password-changed', 'failed', user.username, user, asked, 'wrong-password');
        throw new AppError('auth.wrong-password');
      }
      await users.clearAttempts(user.username);
      if (newPassword === currentPassword) throw new AppError('auth.password-weak', { problem: 'unchanged' });
      await setOwnPassword(principal, newPassword, asked);
    },

    async finishFirstRun(principal, { hospitalName, cameraNetworks, newPassword }, asked) {
      if (settings.current().setup.isDone) throw new AppError('setup.done');
      if (newPassword !== undefined) await setOwnPassword(principal, newPassword, asked);
      else if (principal.mustChangePassword) throw new AppError('auth.must-change-password');
      const change = {
        setup: { isDone: true },
        site: { hospitalName },
        ...(cameraNetworks && { network: { cameraNetworks } }),
      };
      await settings.change(change, principal.userId, (trx) =>
        audit.record(
          {
            action: 'setup.done',
            actor: principal,
            detail: { hospitalName, cameraNetworks: cameraNetworks ?? null },
            request: asked,
          },
          trx,
        ),
      );
    },

    async sweep() {
      await sessions.sweep();
      await users.deleteAttemptsBefore(now() - attemptsKeptMs);
    },
  };
}

/** @throws AppError auth.password-weak with the reason in `problem` */
export function assertPassword(password: string, username: string): void {
  const problem = passwordProblem(password, username);
  if (problem) throw new AppError('auth.password-weak', { problem });
}

function toSession(
  user: StoredUser,
  session: { csrfToken: string; expiresAt: number; siteTimeZone: string },
): Session {
  return {
    userId: user.id,
    username: user.username,
    displayName: user.displayName,
    role: user.role,
    permissions: [...permissionsByRole[user.role]],
    locale: user.locale,
    mustChangePassword: user.mustChangePassword,
    csrfToken: session.csrfToken,
    expiresAt: toWire(session.expiresAt),
    siteTimeZone: session.siteTimeZone,
  };
}

/** A name nobody has is often a password typed into the wrong field: the trail, which is for ever, gets its beginning and length. */
function maskName(name: string): string {
  return `${name.slice(0, 2)}… (${[...name].length})`;
}
