import type { Knex } from 'knex';
import type { Dialect } from '../database.ts';

/**
 * The first schema: people, audit, settings, jobs, places, devices, health, footage, exports, tickets.
 * Conventions: ids are text; instants `*_at` are epoch ms; flags `is_*` are 0/1 integers on both dialects; `*_json` is JSON text;
 * null means unknown or not applicable, never 0.
 */
export async function up(trx: Knex.Transaction, dialect: Dialect): Promise<void> {
  // People
  await trx.schema.createTable('users', (t) => {
    t.text('id').primary();
    t.text('username').notNullable().unique();
    t.text('display_name').notNullable();
    t.text('role').notNullable();
    t.text('password_hash').notNullable();
    t.text('locale').notNullable().defaultTo('zh-CN');
    t.integer('is_active').notNullable().defaultTo(1);
    t.integer('must_change_password').notNullable().defaultTo(0);
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
    t.bigInteger('last_login_at');
  });
  await trx.schema.createTable('sessions', (t) => {
    t.text('token_hash').primary(); // SHA-256 of the cookie: a stolen database opens no session
    t.text('user_id').notNullable().references('users.id').onDelete('CASCADE').index();
    t.text('csrf_token').notNullable();
    t.bigInteger('created_at').notNullable();
    t.bigInteger('last_seen_at').notNullable();
    t.bigInteger('expires_at').notNullable().index();
    t.text('ip');
    t.text('user_agent');
  });
  await trx.schema.createTable('login_failures', (t) => {
    t.text('username').primary(); // kept for unknown names too, so that the answer does not tell which exist
    t.integer('count').notNullable();
    t.bigInteger('first_at').notNullable();
    t.bigInteger('last_at').notNullable();
    t.bigInteger('locked_until_at');
  });
  await trx.schema.createTable('audit_entries', (t) => {
    t.bigInteger('seq').primary(); // 1, 2, 3 … without holes
    t.bigInteger('at').notNullable().index();
    t.text('actor_id');
    t.text('actor_name').notNullable();
    t.text('action').notNullable().index();
    t.text('subject_type');
    t.text('subject_id');
    t.text('outcome').notNullable();
    t.text('detail_json').notNullable();
    t.text('ip');
    t.text('request_id');
    t.text('prev_hash').notNullable();
    t.text('hash').notNullable();
    t.index(['subject_type', 'subject_id']);
  });
  await trx.schema.createTable('settings', (t) => {
    t.text('key').primary();
    t.text('value_json').notNullable();
    t.bigInteger('updated_at').notNullable();
    t.text('updated_by');
  });
  await trx.schema.createTable('jobs', (t) => {
    t.text('id').primary();
    t.text('kind').notNullable();
    t.text('payload_json').notNullable();
    t.text('state').notNullable(); // queued | running | succeeded | failed | cancelled
    t.float('progress'); // 0..1
    t.text('progress_note');
    t.integer('attempts').notNullable().defaultTo(0);
    t.integer('max_attempts').notNullable();
    t.bigInteger('run_at').notNullable();
    t.text('claimed_by');
    t.bigInteger('claimed_until_at');
    t.integer('is_cancel_requested').notNullable().defaultTo(0);
    t.text('result_json');
    t.text('error');
    t.text('created_by');
    t.bigInteger('created_at').notNullable();
    t.bigInteger('finished_at');
    t.index(['state', 'run_at']);
  });

  // Places
  await trx.schema.createTable('places', (t) => {
    t.text('id').primary();
    t.text('parent_id').references('places.id').onDelete('RESTRICT').index();
    t.text('kind').notNullable(); // campus | building | floor | area
    t.text('name').notNullable();
    t.text('name_en');
    t.integer('sort').notNullable().defaultTo(0);
    t.text('outline_json'); // polygon on the plan of the nearest place above that has one
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
  });
  await trx.schema.createTable('floor_plans', (t) => {
    t.text('place_id').primary().references('places.id').onDelete('CASCADE');
    t.text('mime').notNullable();
    t.integer('width_px').notNullable();
    t.integer('height_px').notNullable();
    t.float('metres_per_pixel');
    t.binary('content').notNullable();
    t.text('content_sha256').notNullable();
    t.bigInteger('updated_at').notNullable();
  });

  // Devices
  await trx.schema.createTable('credentials', (t) => {
    t.text('id').primary();
    t.text('label').notNullable();
    t.text('username').notNullable();
    t.text('sealed_password').notNullable(); // AES-256-GCM, key outside the database
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
  });
  await trx.schema.createTable('devices', (t) => {
    t.text('id').primary();
    t.text('identity').notNullable().unique(); // stable across addresses, see media/onvif
    t.text('endpoint_reference').index();
    t.text('kind').notNullable(); // camera | nvr
    t.text('name').notNullable();
    t.text('host').notNullable().index();
    t.text('xaddr').notNullable();
    t.text('credential_id').references('credentials.id').onDelete('SET NULL');
    t.text('tls_fingerprint');
    t.text('manufacturer');
    t.text('model');
    t.text('firmware_version');
    t.text('serial_number');
    t.text('hardware_id');
    t.text('mac');
    t.bigInteger('clock_skew_ms'); // device minus server
    t.bigInteger('clock_checked_at');
    t.integer('is_enabled').notNullable().defaultTo(1);
    t.text('warnings_json').notNullable().defaultTo('[]');
    t.text('place_id').references('places.id').onDelete('SET NULL');
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
    t.bigInteger('last_seen_at');
    t.bigInteger('removed_at'); // taken out of the register, row kept because footage points to it
  });
  await trx.schema.createTable('channels', (t) => {
    t.text('id').primary();
    t.text('device_id').notNullable().references('devices.id').onDelete('CASCADE');
    t.text('source_token').notNullable();
    t.text('name').notNullable();
    t.integer('sort').notNullable().defaultTo(0);
    t.text('place_id').references('places.id').onDelete('SET NULL').index();
    t.float('plan_x'); // px on the place's plan; null: not placed
    t.float('plan_y');
    t.float('heading_deg'); // 0 = up on the plan, clockwise
    t.float('fov_deg');
    t.text('streams_json').notNullable().defaultTo('[]');
    t.text('snapshot_uri');
    t.integer('has_ptz').notNullable().defaultTo(0);
    t.integer('is_recorded').notNullable().defaultTo(1);
    t.bigInteger('created_at').notNullable();
    t.bigInteger('updated_at').notNullable();
    t.unique(['device_id', 'source_token']);
  });
  await trx.schema.createTable('discovery_findings', (t) => {
    t.text('id').primary();
    t.text('key').notNullable().unique(); // endpoint reference, else host:port
    t.text('endpoint_reference');
    t.text('source').notNullable(); // ws-discovery | scan | manual
    t.text('host').notNullable();
    t.text('xaddr').notNullable();
    t.text('name');
    t.text('hardware');
    t.text('location');
    t.text('outcome').notNullable(); // new | ok | unauthorized | locked | unreachable | timeout | garbage | not-onvif | unsupported | untrusted | registered
    t.text('reason');
    t.text('facts_json');
    t.text('device_id').references('devices.id').onDelete('SET NULL');
    t.bigInteger('first_seen_at').notNullable();
    t.bigInteger('last_seen_at').notNullable();
  });

  // Health
  await trx.schema.createTable('channel_health', (t) => {
    t.text('channel_id').primary().references('channels.id').onDelete('CASCADE');
    t.text('state').notNullable(); // online | degraded | offline | unknown
    t.bigInteger('since_at').notNullable();
    t.text('reason'); // code of the layer and error, e.g. tcp.unreachable
    t.text('streak_verdict'); // verdict of the newest sample …
    t.integer('streak_count').notNullable().defaultTo(0); // … and how many in a row had it
    t.bigInteger('checked_at');
    t.bigInteger('last_ok_at');
  });
  await trx.schema.createTable('health_samples', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE');
    t.bigInteger('at').notNullable();
    t.text('verdict').notNullable(); // ok | degraded | failed
    t.text('reason');
    t.text('layers_json').notNullable();
    t.index(['channel_id', 'at']);
    t.index(['at']);
  });
  await trx.schema.createTable('faults', (t) => {
    t.text('id').primary();
    t.text('channel_id').references('channels.id').onDelete('CASCADE').index();
    t.text('device_id').references('devices.id').onDelete('CASCADE');
    t.text('kind').notNullable(); // channel-offline | channel-degraded
    t.text('reason').notNullable();
    t.text('evidence_json').notNullable();
    t.bigInteger('opened_at').notNullable();
    t.bigInteger('recovered_at');
    t.text('ticket_id').index();
  });

  // Footage
  await trx.schema.createTable('recording_runs', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('CASCADE').index();
    t.bigInteger('started_at').notNullable();
    t.float('anchor_offset_ms', 53); // wall = media time + this
    t.bigInteger('ended_at');
    t.text('end_reason');
  });
  await trx.schema.createTable('segments', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('RESTRICT');
    t.text('run_id').notNullable();
    t.text('file').notNullable().unique(); // relative to the recordings folder
    t.bigInteger('start_at').notNullable();
    t.bigInteger('end_at').notNullable();
    t.bigInteger('size_bytes').notNullable();
    t.text('video_codec').notNullable();
    t.integer('has_audio').notNullable();
    t.index(['channel_id', 'start_at']);
    t.index(['start_at']);
  });
  await trx.schema.createTable('footage_holds', (t) => {
    t.text('id').primary();
    t.text('channel_id').notNullable().references('channels.id').onDelete('RESTRICT').index();
    t.bigInteger('from_at').notNullable();
    t.bigInteger('to_at').notNullable();
    t.text('reason').notNullable();
    t.text('created_by').notNullable();
    t.bigInteger('created_at').notNullable();
    t.bigInteger('released_at');
  });
  await trx.schema.createTable('exports', (t) => {
    t.text('id').primary();
    t.text('job_id').references('jobs.id').onDelete('SET NULL');
    t.text('channel_id').notNullable().references('channels.id').onDelete('RESTRICT').index();
    t.bigInteger('from_at').notNullable();
    t.bigInteger('to_at').notNullable();
    t.text('reason').notNullable();
    t.text('requested_by').notNullable();
    t.text('requested_by_name').notNullable();
    t.text('state').notNullable(); // queued | running | ready | failed | cancelled
    t.text('file');
    t.bigInteger('size_bytes');
    t.text('sha256');
    t.text('result_json');
    t.text('error');
    t.bigInteger('created_at').notNullable();
    t.bigInteger('finished_at');
  });

  // Tickets
  await trx.schema.createTable('tickets', (t) => {
    t.text('id').primary();
    t.text('number').notNullable().unique(); // 20261124-0007
    t.text('kind').notNullable(); // his | device
    t.text('title').notNullable();
    t.text('description').notNullable().defaultTo('');
    t.text('state').notNullable(); // new | assigned | waiting | resolved | closed
    t.text('device_id').references('devices.id').onDelete('SET NULL').index();
    t.text('channel_id').references('channels.id').onDelete('SET NULL');
    t.text('fault_id').references('faults.id').onDelete('SET NULL');
    t.text('assignee_id').references('users.id').onDelete('SET NULL');
    t.text('created_by').references('users.id').onDelete('SET NULL');
    t.integer('version').notNullable().defaultTo(1);
    t.bigInteger('created_at').notNullable().index();
    t.bigInteger('updated_at').notNullable();
    t.bigInteger('closed_at');
  });
  await trx.schema.createTable('ticket_notes', (t) => {
    t.text('id').primary();
    t.text('ticket_id').notNullable().references('tickets.id').onDelete('CASCADE').index();
    t.bigInteger('at').notNullable();
    t.text('author_id');
    t.text('author_name').notNullable();
    t.text('kind').notNullable(); // note | change | fault-opened | fault-recovered
    t.text('body').notNullable();
  });

  // The trail is append-only for everybody, this program included.
  if (dialect === 'sqlite') {
    for (const verb of ['UPDATE', 'DELETE'])
      await trx.raw(
        `CREATE TRIGGER audit_entries_no_${verb.toLowerCase()} BEFORE ${verb} ON audit_entries BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END`,
      );
  } else {
    await trx.raw(
      `CREATE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit entries are append-only'; END $$`,
    );
    await trx.raw(
      `CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_refuse()`,
    );
  }
}
