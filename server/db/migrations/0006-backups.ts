import type { Knex } from 'knex';

/** Second places for footage, what is copied there and when, and an index of every copy that was verified. */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable('backup_targets', (t) => {
    t.text('id').primary();
    t.text('name').notNullable();
    t.text('kind').notNullable(); // folder | s3
    t.text('config_json').notNullable(); // without the secret
    t.text('sealed_secret');
    t.text('state').notNullable().defaultTo('unknown'); // unknown | ok | a problem's code
    t.bigInteger('state_at');
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
  });
  await trx.schema.createTable('backup_plans', (t) => {
    t.text('id').primary();
    t.text('target_id').notNullable().references('backup_targets.id').onDelete('CASCADE').index();
    t.text('name').notNullable();
    t.text('schedule'); // five cron fields in the site zone; null: on demand only
    t.text('channel_ids_json'); // null: all
    t.integer('last_hours').notNullable();
    t.integer('is_held_only').notNullable().defaultTo(0);
    t.integer('is_enabled').notNullable().defaultTo(1);
    t.bigInteger('copied_to_at'); // how far the last run that ended well has come: the next begins there, however long ago
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
  });
  await trx.schema.createTable('backup_runs', (t) => {
    t.text('id').primary();
    t.text('kind').notNullable(); // copy | restore
    t.text('plan_id').references('backup_plans.id').onDelete('SET NULL').index();
    t.text('target_id').notNullable().references('backup_targets.id').onDelete('CASCADE').index();
    t.text('job_id'); // of the slice that is queued or running: an older job finds that it has been replaced
    t.text('channel_ids_json'); // null: all
    t.bigInteger('from_at').notNullable();
    t.bigInteger('to_at').notNullable();
    t.integer('is_held_only').notNullable().defaultTo(0);
    t.text('state').notNullable(); // queued | running | waiting | done | failed | cancelled
    t.integer('files_total'); // null: not counted yet
    t.bigInteger('bytes_total');
    t.integer('files_done').notNullable().defaultTo(0);
    t.bigInteger('bytes_done').notNullable().defaultTo(0);
    t.text('failures_json').notNullable().defaultTo('[]'); // files that could not be copied, the first hundred
    t.integer('files_failed').notNullable().defaultTo(0);
    t.text('problem'); // why it waits or has failed
    t.integer('tries').notNullable().defaultTo(0); // in a row without a file done
    t.bigInteger('next_try_at');
    t.text('requested_by');
    t.text('requested_by_name').notNullable();
    t.bigInteger('created_at').notNullable().index();
    t.bigInteger('finished_at');
  });
  await trx.schema.createTable('copies', (t) => {
    t.text('id').primary();
    t.text('target_id').notNullable().references('backup_targets.id').onDelete('CASCADE');
    t.text('channel_id').notNullable().references('channels.id').onDelete('RESTRICT');
    t.text('run_id').notNullable();
    t.text('file').notNullable().index(); // as in segments; the name at the target too
    t.bigInteger('start_at').notNullable();
    t.bigInteger('end_at').notNullable();
    t.bigInteger('size_bytes').notNullable();
    t.text('video_codec').notNullable();
    t.integer('has_audio').notNullable();
    t.text('sha256').notNullable();
    t.integer('is_altered').notNullable().defaultTo(0); // found to differ from its sum: offered no more
    t.bigInteger('verified_at').notNullable();
    t.unique(['target_id', 'file']);
    t.index(['channel_id', 'start_at']);
  });
}
