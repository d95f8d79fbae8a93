import type { Knex } from 'knex';

/** Cases with their clips, packages and hand-overs; how an export is made. */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx.schema.alterTable('exports', (t) => {
    t.text('mode').notNullable().defaultTo('copy'); // copy | transcode | still
    t.text('hidden_json'); // regions of the picture made unrecognisable
    t.text('case_number'); // burned into a transcode
  });
  await trx.schema.createTable('cases', (t) => {
    t.text('id').primary();
    t.text('number').notNullable().unique(); // 2026-0001, or as given
    t.text('title').notNullable();
    t.text('requester').notNullable();
    t.text('organisation').notNullable();
    t.text('legal_basis').notNullable();
    t.text('reason').notNullable();
    t.text('authoriser').notNullable();
    t.text('notes').notNullable().defaultTo('');
    t.text('state').notNullable(); // open | closed
    t.integer('version').notNullable().defaultTo(1);
    t.text('created_by').notNullable();
    t.text('created_by_name').notNullable();
    t.bigInteger('created_at').notNullable().index();
    t.bigInteger('updated_at').notNullable();
    t.bigInteger('closed_at');
  });
  await trx.schema.createTable('case_clips', (t) => {
    t.text('export_id').primary().references('exports.id').onDelete('RESTRICT');
    t.text('case_id').notNullable().references('cases.id').onDelete('RESTRICT').index();
    t.text('added_by_name').notNullable();
    t.bigInteger('added_at').notNullable();
  });
  await trx.schema.createTable('case_packages', (t) => {
    t.text('id').primary();
    t.text('case_id').notNullable().references('cases.id').onDelete('RESTRICT').index();
    t.integer('number').notNullable(); // within the case, from 1
    t.text('job_id').references('jobs.id').onDelete('SET NULL');
    t.text('state').notNullable(); // queued | running | ready | failed
    t.text('requested_by').notNullable();
    t.text('requested_by_name').notNullable();
    t.bigInteger('requested_at').notNullable();
    t.text('export_ids_json').notNullable(); // the clips as they were when it was asked for
    t.text('approved_by');
    t.text('approved_by_name');
    t.bigInteger('approved_at');
    t.text('entries_json'); // the files of the ZIP in order, with sizes and sums
    t.bigInteger('made_at');
    t.bigInteger('size_bytes');
    t.text('sha256'); // of the whole ZIP
    t.text('manifest_sha256');
    t.text('error');
    t.unique(['case_id', 'number']);
  });
  await trx.schema.createTable('case_handovers', (t) => {
    t.text('id').primary();
    t.text('case_id').notNullable().references('cases.id').onDelete('RESTRICT').index();
    t.text('package_id').notNullable().references('case_packages.id').onDelete('RESTRICT');
    t.text('received_by').notNullable();
    t.text('organisation').notNullable();
    t.text('id_shown').notNullable();
    t.text('medium').notNullable();
    t.text('notes').notNullable().defaultTo('');
    t.text('handed_by').notNullable();
    t.text('handed_by_name').notNullable();
    t.bigInteger('handed_at').notNullable();
    t.text('package_sha256').notNullable();
  });
}
