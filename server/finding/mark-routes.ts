import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { fromWire, toWire, toWireOrNull } from '#api/clock.ts';
import { principalOf, type Principal } from '#api/http/guard.ts';
import { IdParams, Ok } from '#api/http/schema.ts';
import type { Happening, HappeningService } from './happening-service.ts';
import type { MarkService } from './mark-service.ts';
import { byOf, spanOf } from './routes.ts';
import {
  Bookmark,
  BookmarkRequest,
  CameraGroup,
  CameraGroupList,
  CameraGroupRequest,
  EventsRequest,
  FootageEvents,
  type FootageEvent,
} from './schema.ts';

/** Bookmarks, groups of cameras, and the list of what happened. */
export function registerMarkRoutes(
  app: FastifyInstance,
  { marks, happenings }: { marks: MarkService; happenings: HappeningService },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const config = { permission: 'footage.view' } as const;
  typed.post(
    '/api/footage/events',
    { config, schema: { body: EventsRequest, response: { 200: FootageEvents } } },
    async (request) => {
      const found = await happenings.list(request.body.channelIds, spanOf(request.body));
      const person = principalOf(request);
      return { events: found.happenings.map((each) => toWireEvent(each, person)), isCut: found.isCut };
    },
  );
  typed.post(
    '/api/footage/bookmarks',
    { config, schema: { body: BookmarkRequest, response: { 201: Bookmark } } },
    async (request, reply) => {
      const { body } = request;
      const made = await marks.addBookmark(
        { ...body, fromAt: fromWire(body.fromAt), toAt: body.toAt === null ? null : fromWire(body.toAt) },
        byOf(request),
      );
      const { id, channelId, note, createdByName } = made;
      return reply.status(201).send({
        id,
        channelId,
        fromAt: toWire(made.fromAt),
        toAt: toWireOrNull(made.toAt),
        note,
        createdByName,
        createdAt: toWire(made.createdAt),
        isOwn: true,
      });
    },
  );
  typed.delete(
    '/api/footage/bookmarks/:id',
    { config, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await marks.removeBookmark(request.params.id, byOf(request));
      return { ok: true } as const;
    },
  );
  typed.get('/api/camera-groups', { config, schema: { response: { 200: CameraGroupList } } }, async () => ({
    groups: await marks.listGroups(),
  }));
  typed.post(
    '/api/camera-groups',
    { config, schema: { body: CameraGroupRequest, response: { 201: CameraGroup } } },
    async (request, reply) => reply.status(201).send(await marks.saveGroup(request.body, byOf(request))),
  );
  typed.put(
    '/api/camera-groups/:id',
    { config, schema: { params: IdParams, body: CameraGroupRequest, response: { 200: CameraGroup } } },
    async (request) => marks.saveGroup({ ...request.body, id: request.params.id }, byOf(request)),
  );
  typed.delete(
    '/api/camera-groups/:id',
    { config, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      await marks.removeGroup(request.params.id, byOf(request));
      return { ok: true } as const;
    },
  );
}

function toWireEvent({ byId, ...event }: Happening, person: Principal): FootageEvent {
  const isOwn = event.kind === 'bookmark' && (byId === person.userId || person.role === 'admin');
  return { ...event, fromAt: toWire(event.fromAt), toAt: toWireOrNull(event.toAt), isOwn };
}
