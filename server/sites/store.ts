import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { PlanMime } from './plan-picture.ts';
import type { Place } from './schema.ts';

interface PlaceRow {
  id: string;
  parent_id: string | null;
  kind: Place['kind'];
  name: string;
  name_en: string | null;
  sort: number;
  outline_json: string | null;
}
interface PlanRow {
  place_id: string;
  width_px: number;
  height_px: number;
  metres_per_pixel: number | null;
  content_sha256: string;
}

/** A stored plan with its bytes. */
export interface StoredPlan {
  readonly mime: PlanMime;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly metresPerPixel: number | null;
  readonly content: Buffer;
  readonly sha256: string;
}

const planColumns = ['place_id', 'width_px', 'height_px', 'metres_per_pixel', 'content_sha256'] as const;

const toPlace = (row: PlaceRow, plan: PlanRow | undefined): Place => ({
  id: row.id,
  parentId: row.parent_id,
  kind: row.kind,
  name: row.name,
  nameEn: row.name_en,
  sort: row.sort,
  outline: row.outline_json === null ? null : (JSON.parse(row.outline_json) as Place['outline']),
  plan: plan
    ? {
        url: `/api/places/${row.id}/plan/${plan.content_sha256}`,
        widthPx: plan.width_px,
        heightPx: plan.height_px,
        metresPerPixel: plan.metres_per_pixel,
      }
    : null,
});

/** Queries of places and their floor plans. Lists are ordered by sort, then name; plan bytes are read only by `findPlan`. */
export function createPlaceStore(db: Knex) {
  return {
    async list(trx: Db = db): Promise<Place[]> {
      const rows: PlaceRow[] = await trx('places').orderBy(['sort', 'name', 'id']);
      const plans: PlanRow[] = await trx('floor_plans').select(...planColumns);
      const planOf = new Map(plans.map((plan) => [plan.place_id, plan]));
      return rows.map((row) => toPlace(row, planOf.get(row.id)));
    },

    async find(id: string, trx: Db = db): Promise<Place | undefined> {
      const row: PlaceRow | undefined = await trx('places').where({ id }).first();
      if (!row) return undefined;
      const plan: PlanRow | undefined = await trx('floor_plans')
        .where({ place_id: id })
        .select(...planColumns)
        .first();
      return toPlace(row, plan);
    },

    async insert(place: Omit<Place, 'plan'>, at: number, trx: Db = db): Promise<void> {
      await trx('places').insert({
        id: place.id,
        parent_id: place.parentId,
        kind: place.kind,
        name: place.name,
        name_en: place.nameEn,
        sort: place.sort,
        outline_json: place.outline && JSON.stringify(place.outline),
        created_at: at,
        updated_at: at,
      });
    },

    async update(
      id: string,
      change: Pick<Place, 'name' | 'nameEn' | 'sort' | 'outline'>,
      at: number,
      trx: Db = db,
    ): Promise<void> {
      await trx('places')
        .where({ id })
        .update({
          name: change.name,
          name_en: change.nameEn,
          sort: change.sort,
          outline_json: change.outline && JSON.stringify(change.outline),
          updated_at: at,
        });
    },

    async remove(id: string, trx: Db = db): Promise<void> {
      await trx('places').where({ id }).delete();
    },

    /** What still stands in the place: places below it, devices and channels put there (removed devices do not count). */
    async countContents(id: string, trx: Db = db): Promise<{ places: number; devices: number }> {
      const count = async (query: Knex.QueryBuilder): Promise<number> => {
        const row: { n: number | string } | undefined = await query.count('* as n').first();
        return Number(row?.n ?? 0);
      };
      const places = await count(trx('places').where({ parent_id: id }));
      const devices = await count(trx('devices').where({ place_id: id }).whereNull('removed_at'));
      const channels = await count(
        trx('channels')
          .join('devices', 'devices.id', 'channels.device_id')
          .where('channels.place_id', id)
          .whereNull('devices.removed_at'),
      );
      return { places, devices: Math.max(devices, channels) };
    },

    async putPlan(placeId: string, plan: StoredPlan, at: number, trx: Db = db): Promise<void> {
      await trx('floor_plans')
        .insert({
          place_id: placeId,
          mime: plan.mime,
          width_px: plan.widthPx,
          height_px: plan.heightPx,
          metres_per_pixel: plan.metresPerPixel,
          content: plan.content,
          content_sha256: plan.sha256,
          updated_at: at,
        })
        .onConflict('place_id')
        .merge();
    },

    async findPlan(placeId: string, sha256: string, trx: Db = db): Promise<StoredPlan | undefined> {
      const row: (PlanRow & { mime: PlanMime; content: Buffer }) | undefined = await trx('floor_plans')
        .where({ place_id: placeId, content_sha256: sha256 })
        .first();
      if (!row) return undefined;
      return {
        mime: row.mime,
        widthPx: row.width_px,
        heightPx: row.height_px,
        metresPerPixel: row.metres_per_pixel,
        content: row.content,
        sha256: row.content_sha256,
      };
    },
  };
}
export type PlaceStore = ReturnType<typeof createPlaceStore>;
