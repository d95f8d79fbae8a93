import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { principalOf } from '#api/http/guard.ts';
import { Settings, SettingsChange } from './schema.ts';
import type { SettingsService } from './service.ts';

/** `GET` and `PATCH /api/settings`: whole groups at a time; every change is on the trail with old and new values. */
export function registerSettingsRoutes(
  app: FastifyInstance,
  { settings, audit }: { settings: SettingsService; audit: AuditTrail },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/settings',
    { config: { permission: 'settings.read' }, schema: { response: { 200: Settings } } },
    async () => settings.current(),
  );
  typed.patch(
    '/api/settings',
    {
      config: { permission: 'settings.edit' },
      schema: { body: SettingsChange, response: { 200: Settings } },
    },
    async (request) => {
      const actor = principalOf(request);
      const before = settings.current();
      const { body } = request;
      const keys = Object.keys(body) as (keyof Settings)[];
      const detail = Object.fromEntries(keys.map((key) => [key, { from: before[key], to: body[key] }]));
      return settings.change(body, actor.userId, (trx) =>
        audit.record({ action: 'settings.changed', actor, detail, request }, trx),
      );
    },
  );
}
