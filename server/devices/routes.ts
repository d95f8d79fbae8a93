import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import { principalOf } from '#api/http/guard.ts';
import { IdParams, Ok } from '#api/http/schema.ts';
import type { CameraCalls } from './camera-calls.ts';
import type { Learning } from './learning.ts';
import type { DeviceRegister } from './register.ts';
import {
  Channel,
  ChannelChange,
  Device,
  DeviceChange,
  DeviceList,
  DeviceListQuery,
  PtzMove,
  RemovedDevice,
} from './schema.ts';
import type { DeviceService } from './service.ts';
import type { DeviceViews } from './views.ts';

/** One row on the trail for each person, camera and minute: a joystick sends ten moves a second. */
const moveAuditMs = 60_000;

/** `/api/devices`, `/api/channels/:id` with snapshot and PTZ. */
export function registerDeviceRoutes(
  app: FastifyInstance,
  parts: {
    devices: DeviceService;
    register: DeviceRegister;
    views: DeviceViews;
    cameras: CameraCalls;
    learning: Learning;
    audit: AuditTrail;
    now: Now;
  },
): void {
  const { devices, register, views, cameras, learning, audit, now } = parts;
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();

  typed.get(
    '/api/devices',
    {
      config: { permission: 'devices.read' },
      schema: { querystring: DeviceListQuery, response: { 200: DeviceList, 304: Type.Null() } },
    },
    async (request, reply) => {
      if (request.query.removed) return { devices: register.listRemoved().map(views.toDevice) };
      const { body, etag } = views.list();
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (request.headers['if-none-match'] === etag) return reply.status(304).send(null);
      // Bytes made once, checked against the schema by the tests; Fastify sends a Buffer as it is.
      return reply.type('application/json; charset=utf-8').send(body as never);
    },
  );
  typed.get(
    '/api/devices/:id',
    { config: { permission: 'devices.read' }, schema: { params: IdParams, response: { 200: Device } } },
    async (request) => views.toDevice(devices.get(request.params.id)),
  );
  typed.patch(
    '/api/devices/:id',
    {
      config: { permission: 'devices.edit' },
      schema: { params: IdParams, body: DeviceChange, response: { 200: Device } },
    },
    async (request) => {
      const { id } = request.params;
      const { body } = request;
      const changed = await devices.change(id, body, { actor: principalOf(request), request });
      if (body.xaddr !== undefined || body.credentials) void learning.refresh(id); // logs its own failures
      return views.toDevice(changed);
    },
  );
  typed.delete(
    '/api/devices/:id',
    {
      config: { permission: 'devices.edit' },
      schema: { params: IdParams, response: { 200: RemovedDevice } },
    },
    async (request) => ({
      how: await devices.remove(request.params.id, { actor: principalOf(request), request }),
    }),
  );

  typed.patch(
    '/api/channels/:id',
    {
      config: { permission: 'devices.edit' },
      schema: { params: IdParams, body: ChannelChange, response: { 200: Channel } },
    },
    async (request) => {
      await devices.changeChannel(request.params.id, request.body, { actor: principalOf(request), request });
      const channel = views.toChannel(request.params.id);
      if (!channel) throw new AppError('not-found');
      return channel;
    },
  );
  typed.get(
    '/api/channels/:id/snapshot',
    {
      config: { permission: 'live.view' },
      schema: { params: IdParams, response: { 200: Type.Any({ description: 'JPEG' }) } },
    },
    async (request, reply) => {
      const picture = await cameras.getSnapshot(request.params.id);
      return reply.type('image/jpeg').header('cache-control', 'private, max-age=5').send(picture);
    },
  );

  const toldAt = new Map<string, number>();
  typed.post(
    '/api/channels/:id/ptz',
    {
      config: { permission: 'live.control' },
      schema: { params: IdParams, body: PtzMove, response: { 200: Ok } },
    },
    async (request) => {
      const { id } = request.params;
      const actor = principalOf(request);
      await cameras.move(id, request.body);
      const key = `${actor.userId} ${id}`;
      if (now() - (toldAt.get(key) ?? -Infinity) >= moveAuditMs) {
        toldAt.set(key, now());
        await audit.record({
          action: 'channel.moved',
          actor,
          subjectType: 'channel',
          subjectId: id,
          request,
        });
      }
      return { ok: true as const };
    },
  );
}
