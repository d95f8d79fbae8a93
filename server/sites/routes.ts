import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '#api/http/guard.ts';
import { IdParams, Ok } from '#api/http/schema.ts';
import { NewPlace, Place, PlaceChange, PlaceList, PlanParams, PlanQuery } from './schema.ts';
import type { PlaceService } from './service.ts';

const maxPlanBytes = 8_000_000;

/**
 * `GET`/`POST /api/places`, `PATCH`/`DELETE /api/places/:id`, `PUT /api/places/:id/plan` (raw picture) and
 * `GET /api/places/:id/plan/:hash`, which never changes under its address.
 */
export function registerPlaceRoutes(app: FastifyInstance, { places }: { places: PlaceService }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/places',
    { config: { permission: 'places.read' }, schema: { response: { 200: PlaceList } } },
    async () => ({ places: await places.list() }),
  );
  typed.post(
    '/api/places',
    { config: { permission: 'places.edit' }, schema: { body: NewPlace, response: { 201: Place } } },
    async (request, reply) => {
      const place = await places.add(request.body, { actor: principalOf(request), request });
      return reply.status(201).send(place);
    },
  );
  typed.patch(
    '/api/places/:id',
    {
      config: { permission: 'places.edit' },
      schema: { params: IdParams, body: PlaceChange, response: { 200: Place } },
    },
    (request) => places.change(request.params.id, request.body, { actor: principalOf(request), request }),
  );
  typed.delete(
    '/api/places/:id',
    { config: { permission: 'places.edit' }, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await places.remove(request.params.id, { actor: principalOf(request), request });
      return { ok: true as const };
    },
  );
  // A scope of its own: only here is a body of pictures read, so no other route takes 8 MB.
  app.register(async (scope) => registerPlanRoutes(scope, places));
}

function registerPlanRoutes(scope: FastifyInstance, places: PlaceService): void {
  scope.addContentTypeParser(
    /^image\/|^application\/octet-stream$/,
    { parseAs: 'buffer', bodyLimit: maxPlanBytes },
    (_request, body, done) => done(null, body),
  );
  const typed = scope.withTypeProvider<TypeBoxTypeProvider>();
  typed.put(
    '/api/places/:id/plan',
    {
      config: { permission: 'places.edit' },
      bodyLimit: maxPlanBytes,
      schema: { params: IdParams, querystring: PlanQuery, response: { 200: Place } },
    },
    (request) => {
      const content = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const { metresPerPixel = null } = request.query;
      return places.putPlan(request.params.id, content, metresPerPixel, {
        actor: principalOf(request),
        request,
      });
    },
  );
  typed.get(
    '/api/places/:id/plan/:hash',
    {
      config: { permission: 'places.read' },
      schema: { params: PlanParams, response: { 200: Type.Any({ description: 'The picture' }) } },
    },
    async (request, reply) => {
      const plan = await places.getPlan(request.params.id, request.params.hash);
      return (
        reply
          .header('cache-control', 'private, max-age=31536000, immutable')
          .header('etag', `"${plan.sha256}"`)
          .header('x-content-type-options', 'nosniff')
          // An SVG opened by itself is a page: sandboxed and without sources, scripts in it are dead.
          .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
          .type(plan.mime)
          .send(plan.content)
      );
    },
  );
}
