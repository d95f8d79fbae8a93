import type { Knex } from 'knex';
import { expect, it } from 'vitest';
import { listApplied, migrate, migrations, NewerDatabaseError, type Migration } from '#api/db/migrate.ts';
import { describeOnBoth, type Databases } from './both-databases.ts';
import { dumpSchema, listColumns, type Columns } from './schema-dump.ts';

const columnsByDialect = new Map<string, Columns>();
const nextStep: Migration = {
  name: '9999-of-a-newer-version',
  async up(trx: Knex.Transaction) {
    await trx.schema.createTable('newer', (table) => void table.text('id').primary());
  },
};

async function migrated({ create, open }: Databases, steps = migrations): Promise<Knex> {
  const db = open(await create());
  await migrate(db, steps);
  return db;
}

describeOnBoth((databases) => {
  it('a fresh schema equals one upgraded step by step, opened anew for each', async () => {
    const fresh = await migrated(databases);
    const url = await databases.create();
    for (let count = 1; count <= migrations.length; count++)
      await migrate(databases.open(url), migrations.slice(0, count));
    const upgraded = databases.open(url);
    expect(await dumpSchema(upgraded)).toEqual(await dumpSchema(fresh));
    expect((await dumpSchema(fresh)).length).toBeGreaterThan(40);
    columnsByDialect.set(databases.dialect, await listColumns(fresh));
  });

  it('the dump sees a column, an index and a trigger more or less', async () => {
    const db = await migrated(databases);
    const before = await dumpSchema(db);
    await db.schema.alterTable('users', (table) => void table.text('extra'));
    const withColumn = await dumpSchema(db);
    expect(withColumn).not.toEqual(before);
    await db.schema.alterTable('users', (table) => void table.index(['role']));
    const withIndex = await dumpSchema(db);
    expect(withIndex).not.toEqual(withColumn);
    const trigger =
      databases.dialect === 'sqlite'
        ? 'audit_entries_no_delete'
        : 'audit_entries_append_only ON audit_entries';
    await db.raw(`DROP TRIGGER ${trigger}`);
    expect(await dumpSchema(db)).not.toEqual(withIndex);
  });

  it('applies each step once and says which', async () => {
    const db = databases.open(await databases.create());
    expect(await listApplied(db)).toEqual([]);
    const names = migrations.map((step) => step.name);
    expect(await migrate(db)).toEqual(names);
    expect(await migrate(db)).toEqual([]);
    expect(await listApplied(db)).toEqual(names);
    expect(names).toEqual(names.toSorted());
  });

  it('refuses a database of a newer version and changes nothing in it', async () => {
    const db = await migrated(databases, [...migrations, nextStep]);
    const before = await dumpSchema(db);
    const older = migrate(db);
    await expect(older).rejects.toThrow(NewerDatabaseError);
    await expect(older).rejects.toThrow('9999-of-a-newer-version');
    expect(await dumpSchema(db)).toEqual(before);
  });

  it('leaves nothing of a step that fails', async () => {
    const failing: Migration = {
      name: '9998-fails',
      async up(trx) {
        await trx.schema.createTable('half', (table) => void table.text('id').primary());
        throw new Error('power cut');
      },
    };
    const db = await migrated(databases);
    const before = await dumpSchema(db);
    await expect(migrate(db, [...migrations, failing, nextStep])).rejects.toThrow('power cut');
    expect(await dumpSchema(db)).toEqual(before);
    expect(await listApplied(db)).toEqual(migrations.map((step) => step.name));
  });
});

it('both databases have the same tables and columns', () => {
  const [sqlite, postgres] = [columnsByDialect.get('sqlite'), columnsByDialect.get('postgres')];
  expect(Object.keys(sqlite ?? {}).length).toBeGreaterThan(15);
  expect(postgres).toEqual(sqlite);
});
