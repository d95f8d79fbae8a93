import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Principal } from '#api/http/guard.ts';
import type { Role } from './permissions.ts';

/** A session with the person it belongs to, as they are now. */
export interface StoredSession {
  readonly principal: Principal;
  readonly lastSeenAt: number;
  readonly expiresAt: number;
}

export interface NewSession {
  readonly tokenHash: string;
  readonly userId: string;
  readonly csrfToken: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly ip: string;
  readonly userAgent: string | null;
}

interface JoinedRow {
  token_hash: string;
  csrf_token: string;
  last_seen_at: number;
  expires_at: number;
  user_id: string;
  username: string;
  display_name: string;
  role: Role;
  must_change_password: number;
}

/** Queries of the sessions table. A session of somebody who is not active is never found. */
export function createSessionStore(db: Knex) {
  return {
    async insert(session: NewSession, trx: Db = db): Promise<void> {
      await trx('sessions').insert({
        token_hash: session.tokenHash,
        user_id: session.userId,
        csrf_token: session.csrfToken,
        created_at: session.createdAt,
        last_seen_at: session.createdAt,
        expires_at: session.expiresAt,
        ip: session.ip,
        user_agent: session.userAgent,
      });
    },

    async find(tokenHash: string): Promise<StoredSession | undefined> {
      const row: JoinedRow | undefined = await db('sessions')
        .join('users', 'users.id', 'sessions.user_id')
        .where('sessions.token_hash', tokenHash)
        .andWhere('users.is_active', 1)
        .first(
          'sessions.*',
          'users.username',
          'users.display_name',
          'users.role',
          'users.must_change_password',
        );
      if (!row) return undefined;
      return {
        principal: {
          userId: row.user_id,
          username: row.username,
          displayName: row.display_name,
          role: row.role,
          sessionHash: row.token_hash,
          csrfToken: row.csrf_token,
          mustChangePassword: row.must_change_password === 1,
        },
        lastSeenAt: row.last_seen_at,
        expiresAt: row.expires_at,
      };
    },

    async touch(tokenHash: string, at: number): Promise<void> {
      await db('sessions')
        .where({ token_hash: tokenHash })
        .andWhere('last_seen_at', '<', at)
        .update({ last_seen_at: at });
    },

    async delete(tokenHash: string, trx: Db = db): Promise<void> {
      await trx('sessions').where({ token_hash: tokenHash }).delete();
    },

    /** All of a person's sessions but `keep`. */
    async deleteOfUser(userId: string, keep: string | undefined, trx: Db = db): Promise<void> {
      const query = trx('sessions').where({ user_id: userId });
      if (keep !== undefined) query.andWhereNot({ token_hash: keep });
      await query.delete();
    },

    async deleteEnded(at: number, lastSeenBefore: number): Promise<void> {
      await db('sessions')
        .where('expires_at', '<=', at)
        .orWhere('last_seen_at', '<=', lastSeenBefore)
        .delete();
    },
  };
}
export type SessionStore = ReturnType<typeof createSessionStore>;
