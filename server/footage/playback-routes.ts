import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { fromWire } from '#api/clock.ts';
import { principalOf } from '#api/http/guard.ts';
import { sendRangedFile } from '#api/http/ranged-file.ts';
import { Shape } from '#api/http/schema.ts';
import { toWirePlayback } from './playback-wire.ts';
import type { PlaybackService } from './playback.ts';
import { byOf, spanOf } from './routes.ts';
import { Playback, PlaybackRequest } from './schema.ts';

const Token = Type.String({ pattern: '^[A-Za-z0-9_-]{32}$' });
const Key = Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' });
const TokenParams = Shape({ token: Token });
const FileParams = Shape({ token: Token, key: Key });
const ChunkParams = Shape({
  token: Token,
  key: Key,
  offset: Type.Integer({ minimum: 0 }),
  kind: Type.Union([Type.Literal('init.mp4'), Type.Literal('media.m4s')]),
});
/** Footage is personal data: no copy of it may stay in a shared computer's cache. */
const noStore = 'private, no-store';

/** Playback: open one, how far it is fetched, its playlist, the files it names (ranged) and, where the browser needs it, transcoded pieces. */
export function registerPlaybackRoutes(
  app: FastifyInstance,
  { playback }: { playback: PlaybackService },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.post(
    '/api/footage/playback',
    {
      config: { permission: 'footage.view' },
      schema: { body: PlaybackRequest, response: { 200: Playback } },
    },
    async (request) => {
      const { focusAt, ...ask } = request.body;
      const focus = focusAt === undefined ? {} : { focusAt: fromWire(focusAt) };
      return toWirePlayback(await playback.start({ ...ask, ...spanOf(ask), ...focus }, byOf(request)));
    },
  );
  typed.get(
    '/api/footage/playback/:token',
    {
      config: { permission: 'footage.view' },
      schema: { params: TokenParams, response: { 200: Playback } },
    },
    async (request) => toWirePlayback(playback.get(request.params.token, principalOf(request))),
  );
  typed.get(
    '/api/footage/playback/:token/index.m3u8',
    { config: { permission: 'footage.view' }, schema: { params: TokenParams } },
    async (request, reply) => {
      const session = playback.get(request.params.token, principalOf(request));
      const text = await playback.playlist(session);
      return reply.type('application/vnd.apple.mpegurl').header('cache-control', noStore).send(text);
    },
  );
  typed.get(
    '/api/footage/playback/:token/:key.mp4',
    { config: { permission: 'footage.view' }, schema: { params: FileParams } },
    async (request, reply) => {
      const { token, key } = request.params;
      const path = await playback.pathOf(playback.get(token, principalOf(request)), key);
      return sendRangedFile(request, reply, {
        path,
        contentType: 'video/mp4',
        tag: key,
        cacheControl: noStore,
      });
    },
  );
  typed.get(
    '/api/footage/playback/:token/:key/:offset/:kind',
    { config: { permission: 'footage.view' }, schema: { params: ChunkParams } },
    async (request, reply) => {
      const { token, key, offset, kind } = request.params;
      const session = playback.get(token, principalOf(request));
      const chunk = await playback.chunk(session, key, offset, goneSignal(reply));
      const bytes = kind === 'init.mp4' ? chunk.init : chunk.media;
      return reply.type('video/mp4').header('cache-control', noStore).send(bytes);
    },
  );
}

/** Aborts when the client has gone away: nobody wants the transcode any more. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
