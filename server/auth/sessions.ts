import { createHash, randomBytes } from 'node:crypto';
import type { Now } from '#api/clock.ts';
import type { Db } from '#api/db/database.ts';
import type { Principal } from '#api/http/guard.ts';
import type { SessionStore, StoredSession } from './session-store.ts';

const absoluteMs = 12 * 3_600_000; // one shift with its hand-over
const idleMs = 2 * 3_600_000;
const maxAgeMs = 30_000;
const touchEveryMs = 60_000;
const maxCached = 5_000;
/** 32 bytes in base64url. */
const tokenForm = /^[\w-]{43}$/;

/** Whose sessions ended or changed: one session, or all of a person's. */
export type SessionsChanged = { readonly sessionHash: string } | { readonly userId: string };

export interface Sessions {
  /** Opens one. @returns the cookie's value, which is kept nowhere, and what the database holds of it */
  open(
    who: { userId: string; ip: string; userAgent: string | undefined },
    trx: Db,
  ): Promise<{ token: string; sessionHash: string; csrfToken: string; expiresAt: number }>;
  /**
   * The person behind a cookie's value, or undefined. Answers from memory for at most 30 s, so that several servers on one database agree
   * within that time; what this server itself ends is gone at once. With `isActivity` false the idle clock runs on.
   */
  resolve(token: string, options?: { isActivity?: boolean }): Promise<Principal | undefined>;
  /** When the session ends at the latest. */
  findExpiry(sessionHash: string): Promise<number | undefined>;
  end(sessionHash: string, trx?: Db): Promise<void>;
  /** Ends all of a person's sessions but `keep`. */
  endOfUser(userId: string, options?: { keep?: string; trx?: Db }): Promise<void>;
  /** To be called once a change of sessions or of a person's role or password is committed: forgets what is in memory and tells listeners. */
  changed(what: SessionsChanged): void;
  /** @returns a function that ends the subscription */
  onChanged(listener: (what: SessionsChanged) => void): () => void;
  /** Deletes sessions that are over. */
  sweep(): Promise<void>;
}

/** What the database holds of a cookie's value: a stolen database opens no session. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

interface Entry {
  session: StoredSession;
  loadedAt: number;
  lastSeenAt: number;
  touchedAt: number;
}

/** Sessions: at most 12 h long, ended after 2 h without a request. */
export function createSessions({ store, now }: { store: SessionStore; now: Now }): Sessions {
  const cache = new Map<string, Entry>();
  const listeners = new Set<(what: SessionsChanged) => void>();
  /** Counts invalidations: an answer that was being read from the database during one must not be kept. */
  let generation = 0;

  async function load(sessionHash: string, before: Entry | undefined): Promise<Entry | undefined> {
    const startedIn = generation;
    const session = await store.find(sessionHash);
    cache.delete(sessionHash);
    if (!session) return undefined;
    const entry = {
      session,
      loadedAt: now(),
      lastSeenAt: Math.max(session.lastSeenAt, before?.lastSeenAt ?? 0),
      touchedAt: session.lastSeenAt,
    };
    if (startedIn !== generation) return entry;
    const oldest = cache.size >= maxCached ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest);
    cache.set(sessionHash, entry);
    return entry;
  }

  return {
    async open({ userId, ip, userAgent }, trx) {
      const token = randomBytes(32).toString('base64url');
      const csrfToken = randomBytes(24).toString('base64url');
      const createdAt = now();
      const expiresAt = createdAt + absoluteMs;
      const tokenHash = hashOfToken(token);
      const agent = userAgent?.slice(0, 300) ?? null;
      await store.insert({ tokenHash, userId, csrfToken, createdAt, expiresAt, ip, userAgent: agent }, trx);
      return { token, sessionHash: tokenHash, csrfToken, expiresAt };
    },

    async resolve(token, { isActivity = true } = {}) {
      if (!tokenForm.test(token)) return undefined;
      const sessionHash = hashOfToken(token);
      const at = now();
      const cached = cache.get(sessionHash);
      const isFresh = cached !== undefined && at - cached.loadedAt < maxAgeMs && at >= cached.loadedAt;
      const entry = isFresh ? cached : await load(sessionHash, cached);
      if (!entry || entry.session.expiresAt <= at || at - entry.lastSeenAt >= idleMs) return undefined;
      if (isActivity) {
        entry.lastSeenAt = at;
        if (at - entry.touchedAt >= touchEveryMs) {
          entry.touchedAt = at;
          await store.touch(sessionHash, at);
        }
      }
      return entry.session.principal;
    },

    async findExpiry(sessionHash) {
      return (await store.find(sessionHash))?.expiresAt;
    },
    end: (sessionHash, trx) => store.delete(sessionHash, trx),
    endOfUser: (userId, { keep, trx } = {}) => store.deleteOfUser(userId, keep, trx),

    changed(what) {
      generation += 1;
      for (const [hash, { session }] of cache) {
        const isMeant =
          'userId' in what ? session.principal.userId === what.userId : hash === what.sessionHash;
        if (isMeant) cache.delete(hash);
      }
      for (const listener of listeners) listener(what);
    },
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    sweep: () => store.deleteEnded(now(), now() - idleMs),
  };
}
