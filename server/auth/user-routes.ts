import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '#api/http/guard.ts';
import { IdParams } from '#api/http/schema.ts';
import { NewUser, User, UserChange } from './schema.ts';
import type { UserService } from './user-service.ts';

/** `/api/users`. */
export function registerUserRoutes(app: FastifyInstance, { users }: { users: UserService }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/users',
    { config: { permission: 'users.read' }, schema: { response: { 200: Type.Array(User) } } },
    () => users.list(),
  );
  typed.post(
    '/api/users',
    { config: { permission: 'users.edit' }, schema: { body: NewUser, response: { 201: User } } },
    async (request, reply) => {
      const user = await users.create(request.body, principalOf(request), request);
      return reply.status(201).send(user);
    },
  );
  typed.patch(
    '/api/users/:id',
    {
      config: { permission: 'users.edit' },
      schema: { params: IdParams, body: UserChange, response: { 200: User } },
    },
    (request) => users.change(request.params.id, request.body, principalOf(request), request),
  );
}
