import { existsSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import fastify, { LogController, type FastifyInstance, type RouteOptions } from 'fastify';
import type { Logger } from '#api/log.ts';
import { newId } from '#api/db/ids.ts';
import { installErrorHandler } from './error-handler.ts';
import type { TlsMaterial } from './tls.ts';

const maxBodyBytes = 2_000_000;

export interface HttpServerOptions {
  /** Undefined: plain HTTP. */
  readonly tls: TlsMaterial | undefined;
  /** Of this program, for the API description. */
  readonly version: string;
  readonly onRoute?: ((route: RouteOptions) => void) | undefined;
}

/**
 * The bare HTTP(S) server: limits, security headers, cookies, socket support, error bodies and API description; no route of its own
 * but `/api/openapi.json`.
 */
export async function createHttpServer(
  log: Logger,
  { tls, version, onRoute }: HttpServerOptions,
): Promise<FastifyInstance> {
  const common = {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }), // ours is below
    bodyLimit: maxBodyBytes,
    genReqId: newId,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 200 },
  };
  const app = (tls
    ? fastify({ ...common, https: { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' } })
    : fastify(common)) as unknown as FastifyInstance;
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  if (onRoute) app.addHook('onRoute', onRoute);
  installErrorHandler(app);
  logRequests(app);

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

/** One line a request, at debug, since a wall of live pictures asks many times a second; a failure of ours is a warning. */
function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const fields = {
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime),
      userId: request.principal?.userId,
    };
    if (reply.statusCode >= 500) request.log.warn(fields, 'request failed');
    else request.log.debug(fields, 'request');
  });
}

/** Serves the built console; unknown paths outside `/api` get its page, which does its own routing. */
export async function serveWeb(app: FastifyInstance, webDir: string): Promise<void> {
  if (!existsSync(join(webDir, 'index.html'))) return;
  await app.register(fastifyStatic, { root: webDir, serve: false, cacheControl: false });
  const files = new Set(
    readdirSync(webDir, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll(sep, '/')),
  );
  app.get('/*', { config: { isPublic: true }, schema: { hide: true } }, (request, reply) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname).slice(1);
    if (path === 'api' || path.startsWith('api/')) return reply.callNotFound();
    const isHashed = path.startsWith('assets/') && files.has(path); // their names carry their content's hash
    reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    return reply.sendFile(files.has(path) ? path : 'index.html');
  });
}
