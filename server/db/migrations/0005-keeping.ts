import type { Knex } from 'knex';

interface OldStorageSettings {
  retentionDays?: number;
}

/**
 * How long footage is kept: classes of channels with a minimum (what the law wants) and a maximum, and holds that end by themselves.
 * The one age limit of before becomes the maximum of the general class.
 */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable('retention_classes', (t) => {
    t.text('id').primary();
    t.text('name').notNullable();
    t.integer('min_days').notNullable();
    t.integer('max_days').notNullable();
    t.integer('is_default').notNullable().defaultTo(0); // exactly one: what a channel without a row below belongs to
    t.bigInteger('updated_at').notNullable();
    t.text('updated_by');
  });
  await trx.schema.createTable('channel_retention', (t) => {
    t.text('channel_id').primary().references('channels.id').onDelete('CASCADE');
    t.text('class_id').notNullable().references('retention_classes.id').onDelete('RESTRICT').index();
  });
  await trx.schema.alterTable('footage_holds', (t) => {
    t.bigInteger('until_at'); // null: until somebody releases it
  });

  const row: { value_json: string } | undefined = await trx('settings').where({ key: 'storage' }).first();
  const { retentionDays = 30, ...rest } = (row ? JSON.parse(row.value_json) : {}) as OldStorageSettings;
  if (row)
    await trx('settings')
      .where({ key: 'storage' })
      .update({ value_json: JSON.stringify(rest) });
  // 30 days: State Council order 799. 90 days: Anti-Terrorism Law art. 32, only for places listed as key targets.
  await trx('retention_classes').insert([
    {
      id: 'general',
      name: '一般区域',
      min_days: Math.min(30, retentionDays),
      max_days: retentionDays,
      is_default: 1,
      updated_at: 0,
    },
    { id: 'listed', name: '重点目标', min_days: 90, max_days: 90, is_default: 0, updated_at: 0 },
  ]);
}
