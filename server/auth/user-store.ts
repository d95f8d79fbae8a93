import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Attempts } from './lockout.ts';
import type { Role } from './permissions.ts';

export type LocaleName = 'zh-CN' | 'en';

/** A person who may log in. */
export interface StoredUser {
  readonly id: string;
  /** As {@link toUsername} gives it. */
  readonly username: string;
  readonly displayName: string;
  readonly role: Role;
  readonly passwordHash: string;
  readonly locale: LocaleName;
  readonly isActive: boolean;
  readonly mustChangePassword: boolean;
  readonly createdAt: number;
  readonly lastLoginAt: number | null;
}

export interface UserRow {
  id: string;
  username: string;
  display_name: string;
  role: Role;
  password_hash: string;
  locale: LocaleName;
  is_active: number;
  must_change_password: number;
  created_at: number;
  updated_at: number;
  last_login_at: number | null;
}

const toUser = (row: UserRow): StoredUser => ({
  id: row.id,
  username: row.username,
  displayName: row.display_name,
  role: row.role,
  passwordHash: row.password_hash,
  locale: row.locale,
  isActive: row.is_active === 1,
  mustChangePassword: row.must_change_password === 1,
  createdAt: row.created_at,
  lastLoginAt: row.last_login_at,
});

const toColumns = (change: Partial<StoredUser>): Partial<UserRow> => ({
  ...(change.username !== undefined && { username: change.username }),
  ...(change.displayName !== undefined && { display_name: change.displayName }),
  ...(change.role !== undefined && { role: change.role }),
  ...(change.passwordHash !== undefined && { password_hash: change.passwordHash }),
  ...(change.locale !== undefined && { locale: change.locale }),
  ...(change.isActive !== undefined && { is_active: Number(change.isActive) }),
  ...(change.mustChangePassword !== undefined && { must_change_password: Number(change.mustChangePassword) }),
  ...(change.lastLoginAt !== undefined && { last_login_at: change.lastLoginAt }),
});

interface AttemptsRow {
  username: string;
  count: number;
  first_at: number;
  last_at: number;
  locked_until_at: number | null;
}

/** The one spelling of a user name: full-width forms and capitals are the same person. */
export function toUsername(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase();
}

/** Queries of users and of log-in attempts. Names go in as {@link toUsername} gives them. */
export function createUserStore(db: Knex) {
  return {
    /** @returns false, and nothing is written, when the name is taken */
    async insert(user: StoredUser, trx: Db = db): Promise<boolean> {
      const row = { ...toColumns(user), id: user.id, created_at: user.createdAt, updated_at: user.createdAt };
      const written: unknown[] = await trx('users')
        .insert(row)
        .onConflict('username')
        .ignore()
        .returning('id');
      return written.length > 0;
    },

    async find(id: string, trx: Db = db): Promise<StoredUser | undefined> {
      const row: UserRow | undefined = await trx('users').where({ id }).first();
      return row && toUser(row);
    },

    async findByUsername(username: string, trx: Db = db): Promise<StoredUser | undefined> {
      const row: UserRow | undefined = await trx('users').where({ username }).first();
      return row && toUser(row);
    },

    /** Everybody, by user name. */
    async list(trx: Db = db): Promise<StoredUser[]> {
      const rows: UserRow[] = await trx('users').orderBy('username');
      return rows.map(toUser);
    },

    async update(id: string, change: Partial<StoredUser>, at: number, trx: Db = db): Promise<void> {
      await trx('users')
        .where({ id })
        .update({ ...toColumns(change), updated_at: at });
    },

    async findAttempts(username: string, trx: Db = db): Promise<Attempts | undefined> {
      const row: AttemptsRow | undefined = await trx('login_failures').where({ username }).first();
      if (!row) return undefined;
      return {
        count: row.count,
        firstAt: row.first_at,
        lastAt: row.last_at,
        lockedUntilAt: row.locked_until_at,
      };
    },

    async putAttempts(username: string, attempts: Attempts, trx: Db = db): Promise<void> {
      const row: AttemptsRow = {
        username,
        count: attempts.count,
        first_at: attempts.firstAt,
        last_at: attempts.lastAt,
        locked_until_at: attempts.lockedUntilAt,
      };
      await trx('login_failures').insert(row).onConflict('username').merge();
    },

    async clearAttempts(username: string, trx: Db = db): Promise<void> {
      await trx('login_failures').where({ username }).delete();
    },

    /** Names locked at `at`, of people or not. */
    async listLocked(at: number): Promise<Set<string>> {
      const rows: { username: string }[] = await db('login_failures')
        .where('locked_until_at', '>', at)
        .select('username');
      return new Set(rows.map((row) => row.username));
    },

    async deleteAttemptsBefore(at: number): Promise<void> {
      await db('login_failures').where('last_at', '<', at).delete();
    },
  };
}
export type UserStore = ReturnType<typeof createUserStore>;
