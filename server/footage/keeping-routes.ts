import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { toWireOrNull } from '#api/clock.ts';
import { IdParams, Ok } from '#api/http/schema.ts';
import { attachmentHeader } from './clip-name.ts';
import { continuityCsv } from './continuity-csv.ts';
import type { KeepingService } from './keeping-service.ts';
import { byOf } from './routes.ts';
import {
  Continuity,
  ContinuityCsvQuery,
  ContinuityQuery,
  Keeping,
  RetentionClassChange,
  RetentionClassMembers,
} from './schema.ts';
import { toWireHold } from './wire.ts';

/** Retention classes with their forecast, and the continuity report. */
export function registerKeepingRoutes(app: FastifyInstance, { keeping }: { keeping: KeepingService }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const ok = { ok: true as const };
  typed.get(
    '/api/footage/keeping',
    { config: { permission: 'devices.read' }, schema: { response: { 200: Keeping } } },
    async () => {
      const { classes, expiringHolds } = await keeping.status();
      return {
        classes: classes.map((entry) => ({
          ...entry,
          channelIds: [...entry.channelIds],
          oldestAt: toWireOrNull(entry.oldestAt),
        })),
        expiringHolds: expiringHolds.map(toWireHold),
      };
    },
  );
  typed.post(
    '/api/footage/classes',
    {
      config: { permission: 'settings.edit' },
      schema: { body: RetentionClassChange, response: { 201: Ok } },
    },
    async (request, reply) => {
      await keeping.addClass(request.body, byOf(request));
      return reply.status(201).send(ok);
    },
  );
  typed.put(
    '/api/footage/classes/:id',
    {
      config: { permission: 'settings.edit' },
      schema: { params: IdParams, body: RetentionClassChange, response: { 200: Ok } },
    },
    async (request) => {
      await keeping.changeClass(request.params.id, request.body, byOf(request));
      return ok;
    },
  );
  typed.delete(
    '/api/footage/classes/:id',
    { config: { permission: 'settings.edit' }, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await keeping.removeClass(request.params.id, byOf(request));
      return ok;
    },
  );
  typed.put(
    '/api/footage/classes/:id/channels',
    {
      config: { permission: 'settings.edit' },
      schema: { params: IdParams, body: RetentionClassMembers, response: { 200: Ok } },
    },
    async (request) => {
      await keeping.assign(request.params.id, request.body.channelIds, byOf(request));
      return ok;
    },
  );
  typed.get(
    '/api/footage/continuity',
    {
      config: { permission: 'health.read' },
      schema: { querystring: ContinuityQuery, response: { 200: Continuity } },
    },
    async ({ query }) => {
      const days = await keeping.continuity(query.from, query.to, query.channelId);
      return { days: days.map((day) => ({ ...day, causes: [...day.causes] })) };
    },
  );
  typed.get(
    '/api/footage/continuity.csv',
    { config: { permission: 'health.read' }, schema: { querystring: ContinuityCsvQuery } },
    async ({ query }, reply) => {
      const language = query.language ?? 'zh-CN';
      const rows = await keeping.continuity(query.from, query.to, query.channelId);
      const name = `${language === 'en' ? 'continuity' : '录像完整性'}_${query.from}_${query.to}.csv`;
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', attachmentHeader(name))
        .send(continuityCsv(rows, language));
    },
  );
}
