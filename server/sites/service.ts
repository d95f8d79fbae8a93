import { createHash } from 'node:crypto';
import type { AuditFact, AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { inTransaction } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Knex } from 'knex';
import { readPlanPicture } from './plan-picture.ts';
import type { NewPlace, Place, PlaceChange } from './schema.ts';
import type { PlaceStore, StoredPlan } from './store.ts';

/** Who asks, for the trail. */
export type Act = Pick<AuditFact, 'actor' | 'request'>;

export interface PlaceService {
  /** All places, ordered by sort, then name; parents are not necessarily before their children. */
  list(): Promise<Place[]>;
  find(id: string): Promise<Place | undefined>;
  /** @throws AppError not-found */
  get(id: string): Promise<Place>;
  /** @throws AppError request.invalid when the kind does not fit below its parent */
  add(place: NewPlace, act: Act): Promise<Place>;
  /** A place never moves: its kind and parent are as they were made. @throws AppError not-found */
  change(id: string, change: PlaceChange, act: Act): Promise<Place>;
  /** @throws AppError not-found; conflict with `details.places` and `details.devices` while something stands in it */
  remove(id: string, act: Act): Promise<void>;
  /**
   * Replaces the plan. Points already set stay as they are, in px of the new plan.
   * @throws AppError not-found; plan.bad-file when it is no PNG, JPEG or SVG with a readable size
   */
  putPlan(id: string, content: Buffer, metresPerPixel: number | null, act: Act): Promise<Place>;
  /** The plan whose content has this SHA-256 (hex). @throws AppError not-found, also after it was replaced */
  getPlan(id: string, sha256: string): Promise<StoredPlan>;
}

const rank: Readonly<Record<Place['kind'], number>> = { campus: 0, building: 1, floor: 2, area: 3 };

/**
 * The tree of places. A place stands below one of a higher kind (a car park may be an area of the campus itself), and only a campus has
 * nothing above it; since neither kind nor parent changes later, no circle can arise.
 */
export function createPlaceService(options: {
  db: Knex;
  store: PlaceStore;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
}): PlaceService {
  const { db, store, bus, audit, now } = options;

  async function get(id: string): Promise<Place> {
    const place = await store.find(id);
    if (!place) throw new AppError('not-found');
    return place;
  }

  function assertFits(kind: Place['kind'], parent: Place | undefined): void {
    const isFitting = parent ? rank[parent.kind] < rank[kind] : kind === 'campus';
    if (!isFitting)
      throw new AppError('request.invalid', {
        fields: [
          {
            path: '/parentId',
            problem: `a ${kind} cannot stand ${parent ? `below a ${parent.kind}` : 'at the top'}`,
          },
        ],
      });
  }

  /** Writes the trail in the same transaction as the change, then tells everybody. */
  async function recorded(
    fact: Pick<AuditFact, 'action' | 'subjectId' | 'detail'>,
    act: Act,
    work: (trx: Knex.Transaction) => Promise<void>,
  ): Promise<void> {
    await inTransaction(db, async (trx) => {
      await work(trx);
      await audit.record({ ...fact, ...act, subjectType: 'place' }, trx);
    });
    bus.emit({ name: 'places.changed' });
  }

  return {
    list: () => store.list(),
    find: (id) => store.find(id),
    get,

    async add(place, act) {
      const parent = place.parentId === null ? undefined : await store.find(place.parentId);
      if (place.parentId !== null && !parent)
        throw new AppError('request.invalid', {
          fields: [{ path: '/parentId', problem: 'there is no such place' }],
        });
      assertFits(place.kind, parent);
      const made = {
        id: newId(),
        parentId: place.parentId,
        kind: place.kind,
        name: place.name,
        nameEn: place.nameEn ?? null,
        sort: place.sort ?? 0,
        outline: place.outline ?? null,
      };
      const detail = { kind: made.kind, name: made.name, parentId: made.parentId };
      await recorded({ action: 'place.added', subjectId: made.id, detail }, act, (trx) =>
        store.insert(made, now(), trx),
      );
      return { ...made, plan: null };
    },

    async change(id, change, act) {
      const before = await get(id);
      const after = { ...before, ...change };
      const keys = Object.keys(change) as (keyof PlaceChange)[];
      const detail = Object.fromEntries(keys.map((key) => [key, { from: before[key], to: after[key] }]));
      await recorded({ action: 'place.changed', subjectId: id, detail }, act, (trx) =>
        store.update(id, after, now(), trx),
      );
      return after;
    },

    async remove(id, act) {
      const place = await get(id);
      const detail = { kind: place.kind, name: place.name };
      await recorded({ action: 'place.removed', subjectId: id, detail }, act, async (trx) => {
        const contents = await store.countContents(id, trx);
        if (contents.places + contents.devices > 0) throw new AppError('conflict', contents);
        await store.remove(id, trx);
      });
    },

    async putPlan(id, content, metresPerPixel, act) {
      await get(id);
      const picture = readPlanPicture(content);
      if (!picture) throw new AppError('plan.bad-file');
      const sha256 = createHash('sha256').update(content).digest('hex');
      const detail = { ...picture, sizeBytes: content.length, sha256, metresPerPixel };
      await recorded({ action: 'place.plan-changed', subjectId: id, detail }, act, (trx) =>
        store.putPlan(id, { ...picture, metresPerPixel, content, sha256 }, now(), trx),
      );
      return get(id);
    },

    async getPlan(id, sha256) {
      const plan = await store.findPlan(id, sha256);
      if (!plan) throw new AppError('not-found');
      return plan;
    },
  };
}
