import { existsSync } from 'node:fs';
import { join } from 'node:path';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from '#api/log.ts';
import { newId } from '#api/db/ids.ts';
import { installErrorHandler } from './error-handler.ts';
import type { TlsMaterial } from './tls.ts';

const maxBodyBytes = 2_000_000;

/**
 * The bare HTTP(S) server: limits, security headers, cookies, socket support, error bodies and API description; no route of its own
 * but `/api/openapi.json`.
 */
export async function createHttpServer(
  log: Logger,
  { tls, version }: { tls: TlsMaterial | undefined; version: string },
): Promise<FastifyInstance> {
  const common = {
    loggerInstance: log,
    disableRequestLogging: true,
    bodyLimit: maxBodyBytes,
    genReqId: newId,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 200 },
  };
  const app = (tls
    ? fastify({ ...common, https: { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' } })
    : fastify(common)) as unknown as FastifyInstance;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  installErrorHandler(app);

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        mediaSrc: ["'self'", 'blob:'],
        workerSrc: ["'self'", 'blob:'],
        connectSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        formAction: ["'self'"],
      },
    },
    hsts: false, // a self-made certificate under HSTS would lock people out of their own console
    crossOriginEmbedderPolicy: false,
  });
  await app.register(cookie);
  await app.register(rateLimit, { global: false });
  await app.register(websocket, { options: { maxPayload: 65_536 } });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Weian 维安', version, description: 'API of the hospital operations console' },
    },
  });
  app.get('/api/openapi.json', { config: { isPublic: true }, schema: { hide: true } }, () => app.swagger());
  return app;
}

/** Serves the built console; unknown paths outside `/api` get its page, which does its own routing. */
export async function serveWeb(app: FastifyInstance, webDir: string): Promise<void> {
  if (!existsSync(join(webDir, 'index.html'))) return;
  await app.register(fastifyStatic, {
    root: webDir,
    wildcard: false,
    index: false,
    cacheControl: false,
    setHeaders(reply, path) {
      const isHashed = path.includes(`${webDir}/assets/`);
      reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.get('/*', { config: { isPublic: true }, schema: { hide: true } }, (request, reply) => {
    if (request.url.startsWith('/api/')) return reply.callNotFound();
    return reply.sendFile('index.html');
  });
}
