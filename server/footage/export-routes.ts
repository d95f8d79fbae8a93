import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { can } from '#api/auth/permissions.ts';
import { AppError } from '#api/errors.ts';
import { principalOf } from '#api/http/guard.ts';
import { sendRangedFile } from '#api/http/ranged-file.ts';
import { fromWire } from '#api/clock.ts';
import { IdParams, Ok } from '#api/http/schema.ts';
import { attachmentHeader } from './clip-name.ts';
import type { ExportService } from './export-service.ts';
import { byOf, spanOf } from './routes.ts';
import { Export, ExportFileQuery, ExportList, ExportRequest, PreviewQuery } from './schema.ts';
import { toWireExport } from './wire.ts';

/** Exports: ask, follow, download (ranged), cancel or delete. */
export function registerExportRoutes(
  app: FastifyInstance,
  { exports, audit }: { exports: ExportService; audit: AuditTrail },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();

  /** Who exports and who audits exports are different roles, and the guard knows one permission a route. */
  async function requireReader(request: FastifyRequest): Promise<void> {
    const person = principalOf(request);
    if (can(person.role, 'footage.export') || can(person.role, 'exports.read-all')) return;
    await audit.record({
      action: 'request.denied',
      actor: person,
      outcome: 'denied',
      detail: { method: request.method, route: request.routeOptions.url, permission: 'footage.export' },
      request,
    });
    throw new AppError('auth.forbidden');
  }

  typed.get(
    '/api/exports',
    { config: { permission: 'self' }, preHandler: requireReader, schema: { response: { 200: ExportList } } },
    async (request) => ({ exports: (await exports.list(principalOf(request))).map(toWireExport) }),
  );
  typed.post(
    '/api/exports',
    { config: { permission: 'footage.export' }, schema: { body: ExportRequest, response: { 201: Export } } },
    async (request, reply) => {
      const entry = await exports.request({ ...request.body, ...spanOf(request.body) }, byOf(request));
      return reply.status(201).send(toWireExport(entry));
    },
  );
  typed.get(
    '/api/exports/preview',
    {
      // Each decodes a group of pictures.
      config: { permission: 'footage.export', rateLimit: { max: 60, timeWindow: 60_000 } },
      schema: { querystring: PreviewQuery },
    },
    async (request, reply) => {
      const { channelId, at } = request.query;
      const picture = await exports.preview(channelId, fromWire(at), byOf(request));
      return reply
        .headers({ 'content-type': 'image/png', 'cache-control': 'private, no-store' })
        .send(picture);
    },
  );
  typed.get(
    '/api/exports/:id',
    {
      config: { permission: 'self' },
      preHandler: requireReader,
      schema: { params: IdParams, response: { 200: Export } },
    },
    async (request) => toWireExport(await exports.get(request.params.id, principalOf(request))),
  );
  typed.delete(
    '/api/exports/:id',
    { config: { permission: 'footage.export' }, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await exports.remove(request.params.id, byOf(request));
      return { ok: true as const };
    },
  );
  typed.get(
    '/api/exports/:id/file',
    { config: { permission: 'footage.export' }, schema: { params: IdParams, querystring: ExportFileQuery } },
    async (request, reply) => {
      const { params, query } = request;
      const { path, fileName, sha256 } = await exports.download(params.id, query.part ?? 1, byOf(request));
      return sendRangedFile(request, reply, {
        path,
        contentType: fileName.endsWith('.png') ? 'image/png' : 'video/mp4',
        tag: sha256,
        cacheControl: 'private, no-cache',
        disposition: attachmentHeader(fileName),
      });
    },
  );
}
