import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { toWire, type Now } from '#api/clock.ts';
import { StreamKind } from '#api/devices/schema.ts';
import { principalOf } from '#api/http/guard.ts';
import { Id, IdParams, Shape } from '#api/http/schema.ts';
import { LiveRequest, LiveSession, LiveStatus } from './schema.ts';
import type { LiveService } from './service.ts';

const StreamParams = Shape({ id: Id, stream: StreamKind });
const PieceParams = Shape({
  channelId: Id,
  stream: StreamKind,
  variant: Type.String({ maxLength: 40 }),
  name: Type.String({ maxLength: 40 }),
});

/** Opening a live picture, its playlist and pieces, and how it is. */
export function registerLiveRoutes(
  app: FastifyInstance,
  { live, now }: { live: LiveService; now: Now },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.post(
    '/api/channels/:id/live',
    {
      config: { permission: 'live.view' },
      schema: { params: IdParams, body: LiveRequest, response: { 200: LiveSession } },
    },
    async (request) => {
      const { id } = request.params;
      const by = { actor: principalOf(request), request };
      const { path, ...opened } = await live.open({ channelId: id, ...request.body }, by);
      const playlistUrl = `/api/live/${encodeURIComponent(id)}/${opened.stream}/${path}`;
      return { ...opened, playlistUrl, startedAt: toWire(now()) };
    },
  );
  typed.get(
    '/api/channels/:id/live/:stream/status',
    { config: { permission: 'live.view' }, schema: { params: StreamParams, response: { 200: LiveStatus } } },
    async ({ params }) => live.status(params.id, params.stream),
  );
  typed.get(
    '/api/live/:channelId/:stream/:variant/:name',
    { config: { permission: 'live.view' }, schema: { params: PieceParams } },
    async (request, reply) => {
      const { channelId, stream, variant, name } = request.params;
      reply.header('cache-control', 'no-store');
      if (name === 'index.m3u8') {
        const viewer = principalOf(request).sessionHash;
        const text = await live.playlist(channelId, stream, variant, viewer);
        return reply.type('application/vnd.apple.mpegurl').send(text);
      }
      return reply.type('video/mp4').send(await live.piece(channelId, stream, variant, name));
    },
  );
}
