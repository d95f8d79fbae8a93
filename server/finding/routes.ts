import { Readable } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fromWire, toWire, toWireOrNull } from '#api/clock.ts';
import { toAppError, messageFor } from '#api/http/error-handler.ts';
import { principalOf } from '#api/http/guard.ts';
import type { ChangeNews, ChangeService } from './change-service.ts';
import type { PictureService } from './picture-service.ts';
import {
  ChangesRequest,
  Filmstrip,
  FilmstripRequest,
  FrameQuery,
  SnapshotRequest,
  type ChangeLine,
} from './schema.ts';

/** Footage is personal data: no copy of it may stay in a shared computer's cache. */
const noStore = 'private, no-store';

/** Thumbnails, filmstrips, snapshots, and the search for changes. */
export function registerPictureRoutes(
  app: FastifyInstance,
  { pictures, changes }: { pictures: PictureService; changes: ChangeService },
): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    '/api/footage/frame',
    { config: { permission: 'footage.view' }, schema: { querystring: FrameQuery } },
    async (request, reply) => {
      const { channelId, at, width = 320 } = request.query;
      const picture = await pictures.thumbnail(
        { channelId, at: fromWire(at), width },
        byOf(request),
        goneSignal(reply),
      );
      return reply
        .type('image/jpeg')
        .headers({ 'cache-control': noStore, 'x-picture-at': toWire(picture.at) })
        .send(picture.jpeg);
    },
  );
  typed.post(
    '/api/footage/filmstrip',
    {
      config: { permission: 'footage.view' },
      schema: { body: FilmstripRequest, response: { 200: Filmstrip } },
    },
    async (request, reply) => {
      const { body } = request;
      const cells = await pictures.filmstrip({ ...body, ...spanOf(body) }, byOf(request), goneSignal(reply));
      return {
        cells: cells.map(({ at, frameAt }) => ({
          at: toWire(at),
          frameAt: toWireOrNull(frameAt),
          url: frameAt === null ? null : frameUrl(body.channelId, frameAt),
        })),
      };
    },
  );
  typed.post(
    '/api/footage/snapshots',
    { config: { permission: 'footage.view' }, schema: { body: SnapshotRequest } },
    async (request, reply) => {
      const { channelId, at } = request.body;
      const taken = await pictures.snapshot(
        { channelId, at: fromWire(at) },
        byOf(request),
        goneSignal(reply),
      );
      return reply
        .type('image/png')
        .headers({
          'cache-control': noStore,
          'x-picture-at': toWire(taken.at),
          'x-picture-sha256': taken.sha256,
        })
        .send(taken.png);
    },
  );
  typed.post(
    '/api/footage/changes',
    { config: { permission: 'footage.view' }, schema: { body: ChangesRequest } },
    async (request, reply) => {
      const { body } = request;
      const signal = goneSignal(reply);
      const news = await changes.start({ ...body, ...spanOf(body) }, byOf(request), signal);
      return reply
        .type('application/x-ndjson')
        .headers({ 'cache-control': noStore, 'x-accel-buffering': 'no' })
        .send(Readable.from(linesOf(news, request)));
    },
  );
}

/** Each piece of news as a line; a failure on the way is the last one, for the status has long been sent. */
async function* linesOf(news: AsyncIterable<ChangeNews>, request: FastifyRequest): AsyncGenerator<string> {
  const line = (content: ChangeLine) => `${JSON.stringify(content)}\n`;
  try {
    for await (const each of news) yield line(toLine(each));
  } catch (error) {
    const known = toAppError(error);
    if (known.status >= 500) request.log.error({ err: error }, 'a search for changes failed');
    yield line({ name: 'failed', code: known.code, message: messageFor(known.code, request) });
  }
}

function toLine(news: ChangeNews): ChangeLine {
  if (news.name === 'progress') return { ...news, doneAt: toWire(news.doneAt) };
  if (news.name === 'end') return news;
  const { fromAt, toAt, peakAt } = news;
  return { ...news, fromAt: toWire(fromAt), toAt: toWire(toAt), peakAt: toWire(peakAt) };
}

const frameUrl = (channelId: string, at: number) =>
  `/api/footage/frame?${new URLSearchParams({ channelId, at: toWire(at), width: '320' })}`;

/** Who asks, for the trail. */
export const byOf = (request: FastifyRequest) => ({ actor: principalOf(request), request });
/** The range of a request in epoch ms. */
export const spanOf = ({ fromAt, toAt }: { fromAt: string; toAt: string }) => ({
  fromAt: fromWire(fromAt),
  toAt: fromWire(toAt),
});

/** Aborts when the client has gone away: nobody wants the picture any more. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
