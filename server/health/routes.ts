import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { IdParams } from '#api/http/schema.ts';
import { ChannelHealth, FaultList, FaultQuery } from './schema.ts';
import type { HealthService } from './service.ts';

/** How channels are, why, and the faults that came of it. */
export function registerHealthRoutes(app: FastifyInstance, { health }: { health: HealthService }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/channels/:id/health',
    { config: { permission: 'health.read' }, schema: { params: IdParams, response: { 200: ChannelHealth } } },
    (request) => health.get(request.params.id),
  );
  typed.post(
    '/api/channels/:id/health/check',
    {
      config: { permission: 'health.check' },
      schema: { params: IdParams, response: { 200: ChannelHealth } },
    },
    (request) => health.checkNow(request.params.id),
  );
  typed.get(
    '/api/faults',
    {
      config: { permission: 'health.read' },
      schema: { querystring: FaultQuery, response: { 200: FaultList } },
    },
    async (request) => ({ faults: await health.listFaults(request.query) }),
  );
}
