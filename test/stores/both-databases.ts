import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { afterAll, beforeAll, describe } from 'vitest';
import { openDatabase, type Dialect } from '#api/db/database.ts';
import { startPostgres } from '../factories/postgres.ts';

/** Where a test gets databases of one kind. */
export interface Databases {
  readonly dialect: Dialect;
  /** The address of a new, empty database. */
  create(): Promise<string>;
  /** A connection of its own, as another process would have; closed after the file's tests. */
  open(url: string): Knex;
}

/** Runs the same tests on SQLite and on PostgreSQL. */
export function describeOnBoth(define: (databases: Databases) => void): void {
  describe.each(['sqlite', 'postgres'] as const)('on %s', (dialect) => {
    const opened: Knex[] = [];
    let dir = '';
    let server: { url: string; close(): Promise<void> } | undefined;
    let count = 0;

    beforeAll(async () => {
      if (dialect === 'sqlite') dir = mkdtempSync(join(tmpdir(), 'weian-stores-'));
      else server = await startPostgres();
    });
    afterAll(async () => {
      await Promise.all(opened.map((db) => db.destroy()));
      await server?.close();
      if (dir) rmSync(dir, { recursive: true, force: true });
    });

    const open = (url: string) => {
      const db = openDatabase(url);
      opened.push(db);
      return db;
    };
    define({
      dialect,
      open,
      async create() {
        const name = `test_${++count}`;
        if (!server) return `sqlite:${join(dir, `${name}.db`)}`;
        await open(server.url).raw(`CREATE DATABASE ${name}`);
        return new URL(`/${name}`, server.url).href;
      },
    });
  });
}
