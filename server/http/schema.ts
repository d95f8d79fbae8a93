import { Type, type Static, type TObject, type TProperties, type TSchema, type TUnsafe } from 'typebox';

/** An object whose unknown fields are refused. Every shape on the wire is made with this. */
export function Shape<T extends TProperties>(properties: T): TObject<T> {
  return Type.Object(properties, { additionalProperties: false });
}

/**
 * `schema` or null, for what may be unknown. A plain value becomes one schema with two types instead of a union: the serializer then need not try
 * each member on every value, which doubles the speed of a long list.
 */
export function OrNull<T extends TSchema>(schema: T): TUnsafe<Static<T> | null> {
  const { type, const: only, enum: choices } = schema as { type?: string; const?: unknown; enum?: unknown[] };
  const isPlain = only === undefined && ['string', 'number', 'integer', 'boolean'].includes(type ?? '');
  if (!isPlain) return Type.Unsafe<Static<T> | null>(Type.Union([schema, Type.Null()]));
  const nullable = { ...schema, type: [type, 'null'], ...(choices && { enum: [...choices, null] }) };
  return Type.Unsafe<Static<T> | null>(nullable);
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
