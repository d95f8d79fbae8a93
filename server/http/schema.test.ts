import fastify from 'fastify';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { expect, it } from 'vitest';
import { Instant, OneOf, OrNull, Shape } from './schema.ts';

const Everything = Shape({
  text: OrNull(Type.String({ minLength: 2 })),
  choice: OrNull(OneOf(['a', 'b'])),
  literal: OrNull(Type.Literal('only')),
  number: OrNull(Type.Number()),
  integer: OrNull(Type.Integer({ minimum: 0 })),
  flag: OrNull(Type.Boolean()),
  at: OrNull(Instant),
  part: OrNull(Shape({ n: OrNull(Type.Integer()) })),
});
const nothing = {
  text: null,
  choice: null,
  literal: null,
  number: null,
  integer: null,
  flag: null,
  at: null,
  part: null,
};
const zeros = {
  text: '""',
  choice: 'b',
  literal: 'only',
  number: 0,
  integer: 0,
  flag: false,
  at: '2026-11-24T08:00:00+08:00',
  part: { n: null },
};

it.each([nothing, zeros])('unknown stays null and nothing stays nothing: %j', async (value) => {
  expect(Compile(Everything).Check(value)).toBe(true);
  const app = fastify();
  app.get('/', { schema: { response: { 200: Everything } } }, async () => value);
  expect((await app.inject({ url: '/' })).json()).toEqual(value);
});

it.each([
  { text: 'x' },
  { text: 7 },
  { choice: 'c' },
  { choice: '' },
  { literal: 'other' },
  { integer: -1 },
  { integer: 1.5 },
  { number: '1' },
  { flag: 0 },
  { at: 'yesterday' },
  { at: '2026-11-24T08:00:00' },
  { part: {} },
  { part: { n: null, more: 1 } },
  { more: 1 },
])('what does not fit is refused: %j', (change) => {
  expect(Compile(Everything).Check({ ...nothing, ...change })).toBe(false);
});
