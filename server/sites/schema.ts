import { Type, type Static } from 'typebox';
import { Id, OneOf, OrNull, Shape } from '#api/http/schema.ts';

export const PlaceKind = OneOf(['campus', 'building', 'floor', 'area']);
/** A point on a plan: px from the top left of the plan's own size. */
export const Point = Shape({ x: Type.Number(), y: Type.Number() });
const Outline = Type.Array(Point, { minItems: 3, maxItems: 200 });
const Name = Type.String({ minLength: 1, maxLength: 80 });

export const PlanInfo = Shape({
  url: Type.String({ description: 'Where the picture is, with its hash: may be cached for ever' }),
  widthPx: Type.Integer(),
  heightPx: Type.Integer(),
  metresPerPixel: OrNull(Type.Number()),
});
export type PlanInfo = Static<typeof PlanInfo>;

/** One node of campus → building → floor → area. */
export const Place = Shape({
  id: Id,
  parentId: OrNull(Id),
  kind: PlaceKind,
  name: Name,
  nameEn: OrNull(Name),
  sort: Type.Integer(),
  outline: OrNull(Outline),
  plan: OrNull(PlanInfo),
});
export type Place = Static<typeof Place>;

export const NewPlace = Shape({
  parentId: OrNull(Id),
  kind: PlaceKind,
  name: Name,
  nameEn: Type.Optional(OrNull(Name)),
  sort: Type.Optional(Type.Integer({ minimum: -10_000, maximum: 10_000 })),
  outline: Type.Optional(OrNull(Outline)),
});
export type NewPlace = Static<typeof NewPlace>;
export const PlaceChange = Type.Partial(
  Shape({
    name: Name,
    nameEn: OrNull(Name),
    sort: Type.Integer({ minimum: -10_000, maximum: 10_000 }),
    outline: OrNull(Outline),
  }),
  { additionalProperties: false },
);
export type PlaceChange = Static<typeof PlaceChange>;

export const PlaceList = Shape({ places: Type.Array(Place) });
export const PlanQuery = Shape({
  metresPerPixel: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
});
export const PlanParams = Shape({ id: Id, hash: Type.String({ pattern: '^[0-9a-f]{64}$' }) });
