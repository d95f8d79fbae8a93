import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { principalOf } from '#api/http/guard.ts';
import type { AuditTrail } from './audit-trail.ts';
import { AuditCheck, AuditPage, AuditQuery } from './schema.ts';

/** `/api/audit`. Walking the chain is itself on the trail, with who asked and what came out. */
export function registerAuditRoutes(app: FastifyInstance, { audit }: { audit: AuditTrail }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/audit',
    {
      config: { permission: 'audit.read' },
      schema: { querystring: AuditQuery, response: { 200: AuditPage } },
    },
    (request) => audit.list(request.query),
  );
  typed.post(
    '/api/audit/verify',
    {
      // It reads the whole trail: once in a while is enough for anybody.
      config: { permission: 'audit.read', rateLimit: { max: 6, timeWindow: 60_000 } },
      schema: { response: { 200: AuditCheck } },
    },
    async (request) => {
      const check = await audit.verify();
      await audit.record({
        action: 'audit.verified',
        actor: principalOf(request),
        outcome: check.isIntact ? 'ok' : 'failed',
        detail: { ...check },
        request,
      });
      return check;
    },
  );
}
