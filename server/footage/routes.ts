import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fromWire } from '#api/clock.ts';
import { principalOf } from '#api/http/guard.ts';
import { IdParams } from '#api/http/schema.ts';
import type { RetentionRunner } from './retention-runner.ts';
import {
  Days,
  DaysQuery,
  Hold,
  HoldList,
  HoldRequest,
  StorageStatus,
  Timeline,
  TimelineRequest,
} from './schema.ts';
import type { By, FootageService } from './service.ts';
import type { SpanMs } from './spans.ts';
import { toWireHold, toWireStorage, toWireTimeline } from './wire.ts';

/** Who asks, for the trail. */
export const byOf = (request: FastifyRequest): By => ({ actor: principalOf(request), request });
/** The range of a request in epoch ms. */
export const spanOf = ({ fromAt, toAt }: { fromAt: string; toAt: string }): SpanMs => ({
  fromAt: fromWire(fromAt),
  toAt: fromWire(toAt),
});

/** Timeline, days, holds and room for recordings. */
export function registerFootageRoutes(
  app: FastifyInstance,
  { footage, retention }: { footage: FootageService; retention: RetentionRunner },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.post(
    '/api/footage/timeline',
    {
      config: { permission: 'footage.view' },
      schema: { body: TimelineRequest, response: { 200: Timeline } },
    },
    async ({ body }) => {
      const channels = await footage.timeline(body.channelIds, spanOf(body));
      return { channels: channels.map(toWireTimeline) };
    },
  );
  typed.get(
    '/api/footage/days',
    { config: { permission: 'footage.view' }, schema: { querystring: DaysQuery, response: { 200: Days } } },
    async ({ query }) => ({ days: await footage.days(query.channelId, query.month) }),
  );
  typed.get(
    '/api/footage/holds',
    { config: { permission: 'footage.view' }, schema: { response: { 200: HoldList } } },
    async () => ({ holds: (await footage.listHolds()).map(toWireHold) }),
  );
  typed.post(
    '/api/footage/holds',
    { config: { permission: 'footage.hold' }, schema: { body: HoldRequest, response: { 201: Hold } } },
    async (request, reply) => {
      const { channelId, reason, untilAt } = request.body;
      const ask = {
        channelId,
        reason,
        ...spanOf(request.body),
        untilAt: untilAt ? fromWire(untilAt) : null,
      };
      const hold = await footage.hold(ask, byOf(request));
      return reply.status(201).send(toWireHold(hold));
    },
  );
  typed.delete(
    '/api/footage/holds/:id',
    { config: { permission: 'footage.hold' }, schema: { params: IdParams, response: { 200: Hold } } },
    async (request) => toWireHold(await footage.release(request.params.id, byOf(request))),
  );
  typed.get(
    '/api/footage/storage',
    { config: { permission: 'devices.read' }, schema: { response: { 200: StorageStatus } } },
    async () => toWireStorage(await retention.status()),
  );
}
