import type { Knex } from 'knex';

/** What helps to find a moment again: bookmarks, groups of cameras, and what the cameras themselves noticed. */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable('bookmarks', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.bigInteger('from_at').notNullable();
    t.bigInteger('to_at'); // null: a moment, not a stretch
    t.text('note').notNullable();
    t.text('created_by').notNullable();
    t.text('created_by_name').notNullable();
    t.bigInteger('created_at').notNullable();
    t.index(['channel_id', 'from_at']);
  });
  await trx.schema.createTable('camera_groups', (t) => {
    t.text('id').primary();
    t.text('name').notNullable().unique();
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
  });
  await trx.schema.createTable('camera_group_members', (t) => {
    t.text('group_id').notNullable().references('camera_groups.id').onDelete('CASCADE');
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.integer('position').notNullable(); // 0, 1, 2 … the place on the wall of pictures
    t.primary(['group_id', 'channel_id']);
  });
  await trx.schema.createTable('channel_events', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.text('kind').notNullable(); // motion | alarm | tamper | video-loss
    t.text('topic').notNullable(); // as the device names it
    t.bigInteger('started_at').notNullable();
    t.bigInteger('ended_at'); // null: goes on, or nobody saw its end
    t.index(['channel_id', 'started_at']);
    t.index(['started_at']);
  });
}
