import type { Knex } from 'knex';

/**
 * What devices hold themselves (ONVIF Profile G), as last told, and what was fetched of it. Kept apart from `segments`: that is what we
 * recorded, which retention, totals and checks count; this is a copy that may go at any time. Columns `…_device_at` are in the device's clock.
 */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable('device_archives', (t) => {
    t.text('device_id').primary().references('devices.id').onDelete('CASCADE');
    t.bigInteger('asked_at').notNullable();
    t.bigInteger('answered_at'); // null: never
    t.integer('has_archive'); // null: unknown
    t.bigInteger('clock_skew_ms'); // device minus server, as used for placing; null: never measured
    t.text('problem'); // code of the last failure, null when the last asking succeeded
  });
  await trx.schema.createTable('device_recordings', (t) => {
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.text('token').notNullable();
    t.bigInteger('from_device_at');
    t.bigInteger('until_device_at'); // null: still recording, or not told
    t.primary(['channel_id', 'token']);
  });
  await trx.schema.createTable('device_coverage', (t) => {
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.text('token').notNullable();
    t.bigInteger('day_device_at').notNullable(); // start of a UTC day of the device's clock
    t.bigInteger('asked_at').notNullable();
    t.integer('is_exact').notNullable(); // 0: only first and last moment are known, there may be holes inside
    t.text('spans_json').notNullable(); // [[from, until], …]
    t.primary(['channel_id', 'token', 'day_device_at']);
  });
  await trx.schema.createTable('device_pieces', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.text('token').notNullable();
    t.bigInteger('from_device_at').notNullable();
    t.bigInteger('until_device_at').notNullable();
    t.integer('is_whole').notNullable(); // 0: its last group of pictures may have been still growing
    t.bigInteger('clock_skew_ms').notNullable();
    t.bigInteger('size_bytes').notNullable();
    t.bigInteger('fetched_at').notNullable();
    t.bigInteger('used_at').notNullable().index();
    t.index(['channel_id', 'from_device_at']);
  });
  await trx.schema.createTable('device_segments', (t) => {
    t.text('id').primary();
    t.text('piece_id').notNullable().references('device_pieces.id').onDelete('CASCADE').index();
    t.text('channel_id').notNullable();
    t.text('run_id').notNullable();
    t.text('file').notNullable().unique(); // relative to the folder of fetched footage
    t.bigInteger('start_at').notNullable();
    t.bigInteger('end_at').notNullable();
    t.text('video_codec').notNullable();
    t.integer('has_audio').notNullable();
    t.index(['channel_id', 'start_at']);
  });
}
