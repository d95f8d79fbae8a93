import type { Knex } from 'knex';

/** What footage was removed and why, so that a gap on the time line can say so. Neighbouring removals of one cause share a row. */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable('footage_removals', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.bigInteger('from_at').notNullable();
    t.bigInteger('to_at').notNullable();
    t.text('cause').notNullable(); // deleted-by-retention | file-missing
    t.bigInteger('removed_at').notNullable();
    t.index(['channel_id', 'from_at']);
  });
  await trx.schema.alterTable('segments', (t) => {
    t.index(['run_id', 'start_at']);
  });
  await trx.schema.alterTable('recording_runs', (t) => {
    t.index(['channel_id', 'started_at']);
  });
}
