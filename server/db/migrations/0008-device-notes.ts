import type { Knex } from 'knex';

/** Warnings of devices become codes with values; the old sentences go, and the next refresh of each device (every few hours) tells them anew. */
export async function up(trx: Knex.Transaction): Promise<void> {
  await trx('devices').update({ warnings_json: '[]' });
  await trx('discovery_findings').whereNotNull('facts_json').delete(); // found again by the next search
}
