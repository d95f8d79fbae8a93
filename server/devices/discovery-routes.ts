import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { principalOf } from '#api/http/guard.ts';
import { IdParams, Ok, OrNull } from '#api/http/schema.ts';
import type { DiscoveryService } from './discovery-service.ts';
import { toFinding, type Findings } from './findings.ts';
import type { Learning } from './learning.ts';
import type { Registration } from './registration.ts';
import {
  DiscoveryRequest,
  DiscoveryRun,
  Finding,
  FindingList,
  LearnRequest,
  ManualAddRequest,
  RegisterRequest,
  RegisterResult,
} from './schema.ts';

/** `/api/discovery`: searches, findings, asking them with passwords, taking them in. */
export function registerDiscoveryRoutes(
  app: FastifyInstance,
  parts: {
    discovery: DiscoveryService;
    findings: Findings;
    learning: Learning;
    registration: Registration;
  },
): void {
  const { discovery, findings, learning, registration } = parts;
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const config = { permission: 'discovery.run' } as const;
  const actOf = (request: FastifyRequest) => ({ actor: principalOf(request), request });

  typed.post(
    '/api/discovery/runs',
    { config, schema: { body: DiscoveryRequest, response: { 201: DiscoveryRun } } },
    async (request, reply) => reply.status(201).send(await discovery.start(request.body, actOf(request))),
  );
  typed.get(
    '/api/discovery/runs/current',
    { config, schema: { response: { 200: OrNull(DiscoveryRun) } } },
    async (_request, reply) => {
      // Sent as bytes: an answer of null would go out as an empty body.
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(discovery.current()) as never);
    },
  );
  typed.delete(
    '/api/discovery/runs/:id',
    { config, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await discovery.cancel(request.params.id, actOf(request));
      return { ok: true as const };
    },
  );

  typed.get('/api/discovery/findings', { config, schema: { response: { 200: FindingList } } }, async () => ({
    findings: (await findings.list()).map(toFinding),
  }));
  typed.delete(
    '/api/discovery/findings/:id',
    { config, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await findings.remove(request.params.id);
      return { ok: true as const };
    },
  );
  typed.post(
    '/api/discovery/manual',
    { config, schema: { body: ManualAddRequest, response: { 200: Finding } } },
    async (request) => toFinding(await discovery.addByHand(request.body.address, actOf(request))),
  );
  typed.post(
    '/api/discovery/learn',
    { config, schema: { body: LearnRequest, response: { 202: Ok } } },
    async (request, reply) => {
      const { findingIds, credentialSets } = request.body;
      await learning.request(findingIds, credentialSets, actOf(request));
      return reply.status(202).send({ ok: true as const });
    },
  );
  typed.post(
    '/api/discovery/register',
    { config, schema: { body: RegisterRequest, response: { 200: RegisterResult } } },
    (request) => registration.register(request.body, actOf(request)),
  );
}
