import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { CameraGroup } from './schema.ts';

/** Queries of camera groups. Members come in their order. */
export function createGroupStore(db: Knex) {
  async function setMembers(id: string, channelIds: readonly string[], trx: Db): Promise<void> {
    await trx('camera_group_members').where({ group_id: id }).delete();
    await trx('camera_group_members').insert(
      channelIds.map((channelId, position) => ({ group_id: id, channel_id: channelId, position })),
    );
  }
  return {
    /** By name. */
    async list(): Promise<CameraGroup[]> {
      const groups: { id: string; name: string }[] = await db('camera_groups').select('id', 'name');
      const members: { group_id: string; channel_id: string }[] =
        await db('camera_group_members').orderBy('position');
      return groups
        .map(({ id, name }) => ({
          id,
          name,
          channelIds: members.filter((member) => member.group_id === id).map((member) => member.channel_id),
        }))
        .toSorted((a, b) => a.name.localeCompare(b.name, 'zh-CN', { numeric: true }));
    },
    async findByName(name: string, trx: Db): Promise<{ id: string } | undefined> {
      return trx('camera_groups').where({ name }).first('id');
    },
    async find(id: string, trx: Db): Promise<{ id: string; name: string } | undefined> {
      return trx('camera_groups').where({ id }).first('id', 'name');
    },
    async count(trx: Db): Promise<number> {
      const [row]: { n: number | string }[] = await trx('camera_groups').count('* as n');
      return Number(row?.n ?? 0);
    },
    async insert(name: string, channelIds: readonly string[], at: number, trx: Db): Promise<string> {
      const id = newId();
      await trx('camera_groups').insert({ id, name, created_at: at, updated_at: at });
      await setMembers(id, channelIds, trx);
      return id;
    },
    async change(
      id: string,
      name: string,
      channelIds: readonly string[],
      at: number,
      trx: Db,
    ): Promise<void> {
      await trx('camera_groups').where({ id }).update({ name, updated_at: at });
      await setMembers(id, channelIds, trx);
    },
    async remove(id: string, trx: Db): Promise<void> {
      await trx('camera_groups').where({ id }).delete();
    },
  };
}
export type GroupStore = ReturnType<typeof createGroupStore>;
