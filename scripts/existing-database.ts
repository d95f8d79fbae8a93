import { existsSync } from 'node:fs';
import type { Knex } from 'knex';
import { ConfigError, loadConfig } from '#api/config.ts';
import { openDatabase } from '#api/db/database.ts';

/** Writes a line for the person at the terminal. */
export function say(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${line}\n`);
}

/**
 * Runs `work` on the database that the configuration names, beside a running server or without one, and sets the exit code to its answer; 2 when
 * there is no database, the server has never been started on it, or `work` throws. Never makes a database.
 */
export async function runOnDatabase(failure: string, work: (db: Knex) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await open(work);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    say(process.stderr, error instanceof ConfigError ? text : `${failure}: ${text}`);
    process.exitCode = 2;
  }
}

async function open(work: (db: Knex) => Promise<number>): Promise<number> {
  const { databaseUrl } = loadConfig(process.env);
  const file = databaseUrl.startsWith('sqlite:') ? databaseUrl.slice('sqlite:'.length) : undefined;
  if (file !== undefined && !existsSync(file)) {
    say(process.stderr, `There is no database at ${file}. Set DATA_DIR or DATABASE_URL as for the server.`);
    return 2;
  }
  const db = openDatabase(databaseUrl);
  try {
    if (!(await db.schema.hasTable('audit_entries'))) {
      say(process.stderr, 'This database has no audit trail: the server has never been started on it.');
      return 2;
    }
    return await work(db);
  } finally {
    await db.destroy();
  }
}
