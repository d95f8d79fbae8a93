import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { openDatabase } from '#api/db/database.ts';
import { migrate } from '#api/db/migrate.ts';

/** A migrated database in a temporary SQLite file. */
export async function makeTestDatabase(): Promise<{ db: Knex; destroy(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'weian-db-'));
  const db = openDatabase(`sqlite:${join(dir, 'test.db')}`);
  await migrate(db);
  return {
    db,
    async destroy() {
      await db.destroy();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Rows of one device with channels named `names`, as the register would have written them. @returns the channel ids */
export async function insertDevice(db: Knex, id: string, names: readonly string[]): Promise<string[]> {
  const at = 1_700_000_000_000;
  await db('devices').insert({
    id,
    identity: `test:${id}`,
    kind: names.length > 1 ? 'nvr' : 'camera',
    name: names[0],
    host: '127.0.0.1',
    xaddr: 'http://127.0.0.1/onvif/device_service',
    created_at: at,
    updated_at: at,
  });
  const ids = names.map((_, index) => `${id}-${index}`);
  for (const [index, channelId] of ids.entries())
    await db('channels').insert({
      id: channelId,
      device_id: id,
      source_token: `source${index}`,
      name: names[index],
      created_at: at,
      updated_at: at,
    });
  return ids;
}

/** A row for every user id the test app's `as(role)` stands for, so that foreign keys hold. */
export async function insertUser(db: Knex, id: string, role: string): Promise<void> {
  await db('users').insert({
    id,
    username: id,
    display_name: id,
    role,
    password_hash: 'none',
    created_at: 0,
    updated_at: 0,
  });
}
