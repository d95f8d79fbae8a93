import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fromWire } from '#api/clock.ts';
import type { By } from '#api/footage/service.ts';
import { principalOf } from '#api/http/guard.ts';
import { IdParams, Ok, Shape } from '#api/http/schema.ts';
import type { PlanClock } from './plan-clock.ts';
import {
  CopyRequest,
  CopySpans,
  CopySpansQuery,
  PlanChange,
  PlanList,
  RestoreRequest,
  RunCreated,
  RunList,
  Target,
  TargetChange,
  TargetList,
} from './schema.ts';
import type { BackupService } from './service.ts';
import { toWireCopies, toWirePlan, toWireRun, toWireTarget } from './wire.ts';

const byOf = (request: FastifyRequest): By => ({ actor: principalOf(request), request });
const spanOf = ({ fromAt, toAt }: { fromAt: string; toAt: string }) => ({
  fromAt: fromWire(fromAt),
  toAt: fromWire(toAt),
});
const ok = { ok: true as const };
const view = { config: { permission: 'footage.view' } } as const;
const edit = { config: { permission: 'settings.edit' } } as const;
const work = { config: { permission: 'footage.hold' } } as const;

/** Backup targets, plans, runs and copies. */
export function registerBackupRoutes(
  app: FastifyInstance,
  { backups, clock }: { backups: BackupService; clock: PlanClock },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();

  typed.get('/api/backups/targets', { ...view, schema: { response: { 200: TargetList } } }, async () => ({
    targets: (await backups.listTargets()).map(toWireTarget),
  }));
  typed.post(
    '/api/backups/targets',
    { ...edit, schema: { body: TargetChange, response: { 201: Ok } } },
    async (request, reply) => {
      await backups.addTarget(request.body, byOf(request));
      return reply.status(201).send(ok);
    },
  );
  typed.put(
    '/api/backups/targets/:id',
    { ...edit, schema: { params: IdParams, body: TargetChange, response: { 200: Ok } } },
    async (request) => {
      await backups.changeTarget(request.params.id, request.body, byOf(request));
      return ok;
    },
  );
  typed.delete(
    '/api/backups/targets/:id',
    { ...edit, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await backups.removeTarget(request.params.id, byOf(request));
      await clock.reload();
      return ok;
    },
  );
  typed.post(
    '/api/backups/targets/:id/check',
    {
      ...work,
      schema: { params: IdParams, response: { 200: Shape({ state: Target.properties.state }) } },
    },
    async ({ params }) => ({ state: await backups.checkTarget(params.id) }),
  );

  typed.get('/api/backups/plans', { ...view, schema: { response: { 200: PlanList } } }, async () => ({
    plans: (await backups.listPlans()).map((plan) => toWirePlan(plan, clock.nextRunAt(plan.id))),
  }));
  typed.post(
    '/api/backups/plans',
    { ...edit, schema: { body: PlanChange, response: { 201: Ok } } },
    async (request, reply) => {
      await backups.addPlan(request.body, byOf(request));
      await clock.reload();
      return reply.status(201).send(ok);
    },
  );
  typed.put(
    '/api/backups/plans/:id',
    { ...edit, schema: { params: IdParams, body: PlanChange, response: { 200: Ok } } },
    async (request) => {
      await backups.changePlan(request.params.id, request.body, byOf(request));
      await clock.reload();
      return ok;
    },
  );
  typed.delete(
    '/api/backups/plans/:id',
    { ...edit, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await backups.removePlan(request.params.id, byOf(request));
      await clock.reload();
      return ok;
    },
  );
  typed.post(
    '/api/backups/plans/:id/run',
    { ...work, schema: { params: IdParams, response: { 201: RunCreated } } },
    async (request, reply) =>
      reply.status(201).send({ id: await backups.runPlan(request.params.id, byOf(request)) }),
  );

  typed.get('/api/backups/runs', { ...view, schema: { response: { 200: RunList } } }, async () => ({
    runs: (await backups.listRuns()).map(toWireRun),
  }));
  typed.post(
    '/api/backups/copy',
    { ...work, schema: { body: CopyRequest, response: { 201: RunCreated } } },
    async (request, reply) => {
      const ask = { ...request.body, ...spanOf(request.body) };
      return reply.status(201).send({ id: await backups.copy(ask, byOf(request)) });
    },
  );
  typed.post(
    '/api/backups/restore',
    { ...work, schema: { body: RestoreRequest, response: { 201: RunCreated } } },
    async (request, reply) => {
      const ask = { ...request.body, ...spanOf(request.body) };
      return reply.status(201).send({ id: await backups.restore(ask, byOf(request)) });
    },
  );
  typed.delete(
    '/api/backups/runs/:id',
    { ...work, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await backups.cancel(request.params.id, byOf(request));
      return ok;
    },
  );
  typed.get(
    '/api/backups/copies',
    { ...view, schema: { querystring: CopySpansQuery, response: { 200: CopySpans } } },
    async ({ query }) => ({
      targets: (await backups.copiesOf(query.channelId, spanOf(query))).map(toWireCopies),
    }),
  );
}
