import type { Knex } from 'knex';
import { dialectOf } from '#api/db/database.ts';

/** Tables by name, each with its columns by name and whether they may be null. */
export type Columns = Record<string, Record<string, { isNullable: boolean }>>;

interface ColumnRow {
  table_name: string;
  column_name: string;
  is_nullable: boolean | number;
}

/** Tables and columns in a form that both databases share. */
export async function listColumns(db: Knex): Promise<Columns> {
  const rows: ColumnRow[] =
    dialectOf(db) === 'sqlite'
      ? await db.raw(`SELECT m.name AS table_name, c.name AS column_name, c."notnull" = 0 AND c.pk = 0 AS is_nullable
          FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
      : (
          (await db.raw(`SELECT table_name, column_name, is_nullable = 'YES' AS is_nullable
          FROM information_schema.columns WHERE table_schema = 'public'`)) as { rows: ColumnRow[] }
        ).rows;
  const tables: Columns = {};
  for (const row of rows)
    (tables[row.table_name] ??= {})[row.column_name] = { isNullable: Boolean(row.is_nullable) };
  return tables;
}

/** Everything the database knows of its own shape, as text: to compare two databases of one kind. */
export async function dumpSchema(db: Knex): Promise<string[]> {
  if (dialectOf(db) === 'sqlite') {
    const rows: { sql: string }[] = await db('sqlite_master').whereNotNull('sql').select('sql');
    return rows.map((row) => row.sql).sort();
  }
  const parts = [
    `SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
      FROM information_schema.columns WHERE table_schema = 'public'`,
    `SELECT indexdef AS line FROM pg_indexes WHERE schemaname = 'public'`,
    `SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS line FROM pg_constraint WHERE connamespace = 'public'::regnamespace`,
    `SELECT pg_get_triggerdef(oid) AS line FROM pg_trigger WHERE NOT tgisinternal`,
  ];
  const results = (await Promise.all(parts.map((sql) => db.raw(sql)))) as { rows: { line: string }[] }[];
  return results.flatMap((result) => result.rows.map((row) => row.line)).sort();
}
