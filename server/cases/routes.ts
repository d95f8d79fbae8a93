import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { By } from '#api/footage/service.ts';
import { principalOf } from '#api/http/guard.ts';
import { sendRanged } from '#api/http/ranged-file.ts';
import { IdParams } from '#api/http/schema.ts';
import type { PackageService } from './package-service.ts';
import {
  Case,
  CaseChange,
  CaseHistory,
  CaseList,
  ClipParams,
  EvidenceKey,
  NewCase,
  NewCaseClip,
  NewHandover,
  PackageParams,
  PackageQuery,
} from './schema.ts';
import type { CaseService } from './service.ts';

const byOf = (request: FastifyRequest): By => ({ actor: principalOf(request), request });

/** `/api/cases`: cases, their clips, packages and hand-overs; `/api/evidence-key`. What changes a case answers with the case. */
export function registerCaseRoutes(
  app: FastifyInstance,
  { cases, packages, key }: { cases: CaseService; packages: PackageService; key: EvidenceKey },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const read = { permission: 'cases.read' } as const;
  const edit = { permission: 'cases.edit' } as const;
  const params = IdParams;
  const answer = { 200: Case };

  typed.get('/api/cases', { config: read, schema: { response: { 200: CaseList } } }, async () => ({
    cases: await cases.list(),
  }));
  typed.post(
    '/api/cases',
    { config: edit, schema: { body: NewCase, response: { 201: Case } } },
    async (request, reply) => reply.status(201).send(await cases.create(request.body, byOf(request))),
  );
  typed.get('/api/cases/:id', { config: read, schema: { params, response: answer } }, (request) =>
    cases.get(request.params.id, byOf(request)),
  );
  typed.patch(
    '/api/cases/:id',
    { config: edit, schema: { params, body: CaseChange, response: answer } },
    (request) => cases.change(request.params.id, request.body, byOf(request)),
  );
  typed.get(
    '/api/cases/:id/history',
    { config: read, schema: { params, response: { 200: CaseHistory } } },
    async (request) => ({ entries: await cases.history(request.params.id) }),
  );
  typed.post(
    '/api/cases/:id/clips',
    { config: edit, schema: { params, body: NewCaseClip, response: answer } },
    async (request) => {
      await cases.addClip(request.params.id, request.body, byOf(request));
      return cases.get(request.params.id, byOf(request));
    },
  );
  typed.delete(
    '/api/cases/:id/clips/:exportId',
    { config: edit, schema: { params: ClipParams, response: answer } },
    async (request) => {
      await cases.removeClip(request.params.id, request.params.exportId, byOf(request));
      return cases.get(request.params.id, byOf(request));
    },
  );
  typed.post(
    '/api/cases/:id/packages',
    { config: edit, schema: { params, response: answer } },
    async (request) => {
      await packages.request(request.params.id, byOf(request));
      return cases.get(request.params.id, byOf(request));
    },
  );
  typed.post(
    '/api/cases/:id/packages/:packageId/approval',
    { config: { permission: 'cases.approve' }, schema: { params: PackageParams, response: answer } },
    async (request) => {
      await packages.approve(request.params.id, request.params.packageId, byOf(request));
      return cases.get(request.params.id, byOf(request));
    },
  );
  typed.get(
    '/api/cases/:id/package',
    { config: edit, schema: { params, querystring: PackageQuery } },
    async (request, reply) => {
      const found = await packages.download(request.params.id, request.query.number, byOf(request));
      return sendRanged(request, reply, {
        contentType: 'application/zip',
        tag: found.sha256,
        cacheControl: 'private, no-cache',
        disposition: `attachment; filename*=UTF-8''${encodeURIComponent(found.fileName)}`,
        sizeBytes: found.sizeBytes,
        open: found.open,
      });
    },
  );
  typed.post(
    '/api/cases/:id/handovers',
    { config: edit, schema: { params, body: NewHandover, response: answer } },
    async (request) => {
      await cases.handOver(request.params.id, request.body, byOf(request));
      return cases.get(request.params.id, byOf(request));
    },
  );
  typed.get(
    '/api/evidence-key',
    { config: { permission: 'self' }, schema: { response: { 200: EvidenceKey } } },
    async () => key,
  );
}
