import type { Knex } from 'knex';
import { dialectOf, lockByName, type Db, type Dialect } from './database.ts';
import * as foundation from './migrations/0001-foundation.ts';
import * as footage from './migrations/0002-footage.ts';
import * as cases from './migrations/0004-cases.ts';
import * as keeping from './migrations/0005-keeping.ts';
import * as backups from './migrations/0006-backups.ts';
import * as finding from './migrations/0007-finding.ts';
import * as deviceNotes from './migrations/0008-device-notes.ts';

/** One forward step. Never edited once released: a change is a new step. */
export interface Migration {
  readonly name: string;
  up(trx: Knex.Transaction, dialect: Dialect): Promise<void>;
}

/** All steps in order. */
export const migrations: readonly Migration[] = [
  { name: '0001-foundation', up: foundation.up },
  { name: '0002-footage', up: footage.up },
  { name: '0004-cases', up: cases.up },
  { name: '0005-keeping', up: keeping.up },
  { name: '0006-backups', up: backups.up },
  { name: '0007-finding', up: finding.up },
  { name: '0008-device-notes', up: deviceNotes.up },
];

/** The database was written by a newer program than this one; starting could damage it. */
export class NewerDatabaseError extends Error {
  constructor(unknownSteps: readonly string[]) {
    super(
      `The database has steps this version does not know (${unknownSteps.join(', ')}). Start the newer version, or restore a backup.`,
    );
    this.name = 'NewerDatabaseError';
  }
}

/**
 * Brings the schema up to date, each step in its own transaction. Safe to repeat, and for two servers that start at once.
 * @returns the names of the steps applied now
 * @throws NewerDatabaseError when the database knows steps that `steps` does not
 */
export async function migrate(db: Knex, steps: readonly Migration[] = migrations): Promise<string[]> {
  await db.transaction(async (trx) => {
    await lockByName(trx, 'migrate');
    if (await trx.schema.hasTable('schema_steps')) return;
    await trx.schema.createTable('schema_steps', (table) => {
      table.text('name').primary();
      table.bigInteger('applied_at').notNullable();
    });
  });
  const known = new Set(steps.map((step) => step.name));
  const unknown = (await listApplied(db)).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new NewerDatabaseError(unknown);

  const applied: string[] = [];
  for (const step of steps) {
    await db.transaction(async (trx) => {
      await lockByName(trx, 'migrate');
      if ((await listApplied(trx)).includes(step.name)) return;
      await step.up(trx, dialectOf(db));
      await trx('schema_steps').insert({ name: step.name, applied_at: Date.now() });
      applied.push(step.name);
    });
  }
  return applied;
}

/** The steps this database has; empty for a database that was never migrated. */
export async function listApplied(db: Db): Promise<string[]> {
  if (!(await db.schema.hasTable('schema_steps'))) return [];
  const rows: { name: string }[] = await db('schema_steps').select('name').orderBy('name');
  return rows.map((row) => row.name);
}
