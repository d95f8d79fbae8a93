import { Type, type Static, type TObject, type TProperties, type TSchema } from 'typebox';

/** An object whose unknown fields are refused. Every shape on the wire is made with this. */
export function Shape<T extends TProperties>(properties: T): TObject<T> {
  return Type.Object(properties, { additionalProperties: false });
}

/** `schema` or null, for what may be unknown. */
export function OrNull<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** One of the literals. */
export function OneOf<const T extends readonly string[]>(values: T) {
  return Type.Unsafe<T[number]>(Type.String({ enum: [...values] }));
}

/** An instant: ISO 8601 with offset, as `2026-11-24T08:00:00.000Z` or `…+08:00`. */
export const Instant = Type.String({ format: 'date-time', description: 'ISO 8601 with offset' });
export const Id = Type.String({ minLength: 1, maxLength: 64 });
export const IdParams = Shape({ id: Id });

/** What every failed request answers. */
export const ErrorBody = Shape({
  code: Type.String(),
  message: Type.String(),
  requestId: Type.String(),
  isRetryable: Type.Boolean(),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type ErrorBody = Static<typeof ErrorBody>;

export const Ok = Shape({ ok: Type.Literal(true) });
