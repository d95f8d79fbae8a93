import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { HealthReport } from './schema.ts';
import type { SystemService } from './service.ts';

/** `GET /api/health` (503 while a part fails) and `GET /metrics` (Prometheus text). Both are open: they hold no name and no secret. */
export function registerSystemRoutes(
  app: FastifyInstance,
  { system, metrics }: { system: SystemService; metrics: Registry },
): void {
  app.get(
    '/api/health',
    { config: { isPublic: true }, schema: { response: { 200: HealthReport, 503: HealthReport } } },
    async (_request, reply) => {
      const report = await system.report();
      return reply.status(report.status === 'ok' ? 200 : 503).send(report);
    },
  );
  app.get('/metrics', { config: { isPublic: true }, schema: { hide: true } }, async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.metrics());
  });
}
