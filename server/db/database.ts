import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import knexFactory, { type Knex } from 'knex';
import pg from 'pg';

/** A connection or an open transaction: every store method takes one as its optional last argument. */
export type Db = Knex | Knex.Transaction;
export type Dialect = 'sqlite' | 'postgres';

/** Instants are epoch ms in bigint columns; pg hands those over as text unless told otherwise. All are below 2^53. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Which of the two databases `db` speaks to. */
export function dialectOf(db: Db): Dialect {
  return db.client.config.client === 'pg' ? 'postgres' : 'sqlite';
}

/**
 * Opens the database named by `url` (`sqlite:<file>` or `postgres://…`) without touching its schema.
 * SQLite runs with WAL, foreign keys on and **one** connection, so statements and transactions queue one behind another: inside
 * a transaction always pass `trx` on, a query on the outer handle would wait for itself.
 */
export function openDatabase(url: string): Knex {
  if (url.startsWith('sqlite:')) {
    const filename = url.slice('sqlite:'.length);
    mkdirSync(dirname(filename), { recursive: true });
    return knexFactory({
      client: 'sqlite3',
      connection: { filename },
      useNullAsDefault: true,
      compileSqlOnError: false, // an error's text would carry every bound value into the log
      pool: {
        min: 1,
        max: 1,
        idleTimeoutMillis: 2 ** 30,
        afterCreate(
          connection: { exec(sql: string, done: (error: Error | null) => void): void },
          done: (error: Error | null, connection: unknown) => void,
        ) {
          // 64 MB of pages instead of 2: deleting a day of a large recording index touches pages all over it.
          const pragmas =
            'PRAGMA cache_size=-65536; PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000;';
          connection.exec(pragmas, (error) => done(error, connection));
        },
      },
      acquireConnectionTimeout: 30_000,
    });
  }
  return knexFactory({ client: 'pg', connection: url, compileSqlOnError: false, pool: { min: 0, max: 10 } });
}

/** Runs `work` in a transaction, or in a nested one of the transaction handed in. */
export function inTransaction<T>(db: Db, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  return db.transaction(work);
}

/**
 * Makes other transactions that lock the same `name` wait until this one ends. SQLite needs nothing: its one connection already lets one
 * transaction in at a time.
 */
export async function lockByName(trx: Db, name: string): Promise<void> {
  if (dialectOf(trx) === 'postgres')
    await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [name]);
}
