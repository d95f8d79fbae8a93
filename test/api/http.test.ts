import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError, errorRegistry, type ErrorCode } from '#api/errors.ts';
import { installGuard } from '#api/http/guard.ts';
import type { ErrorBody } from '#api/http/schema.ts';
import { createHttpServer, serveWeb } from '#api/http/server.ts';
import { createLogger } from '#api/log.ts';
import { MediaError } from '#media/errors.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { registeredRoutes } from '../factories/routes.ts';

let app: TestApp;
beforeAll(async () => {
  app = await makeTestApp();
});
afterAll(() => app.destroy());

describe('an error body', () => {
  it('is in Chinese unless English is asked for', async () => {
    const ask = (headers: Record<string, string>) => app.http.inject({ url: '/api/settings', headers });
    for (const language of [
      {},
      { 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8' },
      { 'accept-language': 'fr' },
    ]) {
      const response = await ask(language as Record<string, string>);
      expect(response.statusCode).toBe(401);
      expect(response.json()).toMatchObject({
        code: 'auth.required',
        message: errorRegistry['auth.required'].zh,
      });
    }
    const english = await ask({ 'accept-language': 'en-GB,en;q=0.9' });
    expect(english.json()).toEqual({
      code: 'auth.required',
      message: 'Log in first.',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      isRetryable: false,
    });
  });

  it('has a sentence in both languages for every code', () => {
    for (const [code, entry] of Object.entries(errorRegistry)) {
      expect(entry.zh, code).toMatch(/[\u4e00-\u9fff].*。$/);
      expect(entry.en, code).toMatch(/^[A-Z].*\.$/);
      expect(entry.status, code).toBeGreaterThanOrEqual(400);
    }
  });

  it('names the unknown or wrong field', async () => {
    const change = (payload: object) => app.as('admin', { method: 'PATCH', url: '/api/settings', payload });
    const unknown = await change({ site: { hospitalName: 'x' }, extra: 1 });
    expect(unknown.json()).toMatchObject({ code: 'request.invalid', details: { where: 'body' } });
    const nested = await change({ site: { hospitalName: 'x', extra: 1 } });
    expect(JSON.stringify(nested.json<ErrorBody>().details)).toContain('/site');
    const wrong = await change({
      health: { probeIntervalMs: 'soon', retryIntervalMs: 1000, failuresToFault: 3, successesToRecover: 2 },
    });
    expect(JSON.stringify(wrong.json<ErrorBody>().details)).toContain('/health/probeIntervalMs');
    expect([unknown, nested, wrong].map((response) => response.statusCode)).toEqual([400, 400, 400]);
  });

  it.each([
    ['broken JSON', 'not json', 'application/json', 'request.invalid', 400],
    ['XML', '{}', 'text/xml', 'request.invalid', 400],
    ['2 MB', `"${'x'.repeat(2_000_001)}"`, 'application/json', 'request.too-large', 413],
    ['a prototype', '{"__proto__":{"a":1}}', 'application/json', 'request.invalid', 400],
  ])('refuses a body of %s', async (_name, payload, type, code, status) => {
    const headers = { 'content-type': type };
    const response = await app.as('admin', { method: 'PATCH', url: '/api/settings', payload, headers });
    expect(response.json()).toMatchObject({ code });
    expect(response.statusCode).toBe(status);
  });

  it('answers an unknown path under /api with not-found', async () => {
    const response = await app.http.inject({ method: 'POST', url: '/api/nothing' });
    expect(response.json()).toMatchObject({ code: 'not-found' });
  });
});

describe('a failure of the server', () => {
  it('hides its cause from the client and gives it to the log under the same request number', async () => {
    const lines: string[] = [];
    const http = await createHttpServer(
      createLogger({ logLevel: 'debug' }, { write: (line) => lines.push(line) }),
      { tls: undefined, version: 'test' },
    );
    const failures: Record<string, unknown> = {
      plain: new Error('table users is on fire'),
      app: new AppError('export.failed', undefined, { cause: new Error('table users is on fire') }),
      media: new MediaError('protocol', 'table users is on fire'),
    };
    for (const [name, failure] of Object.entries(failures))
      http.get(`/${name}`, { config: { isPublic: true } }, () => {
        throw failure;
      });
    const codes: ErrorCode[] = ['internal', 'export.failed', 'device.bad-answer'];
    for (const [index, name] of Object.keys(failures).entries()) {
      lines.length = 0;
      const response = await http.inject({ url: `/${name}` });
      const body = response.json<ErrorBody>();
      expect(body.code).toBe(codes[index]);
      expect(response.statusCode).toBeGreaterThanOrEqual(500);
      expect(response.body).not.toContain('fire');
      const logged = lines.find((line) => line.includes('table users is on fire'));
      expect(logged).toContain(body.requestId);
    }
    await http.close();
  });
});

describe('the log of requests', () => {
  it('has one line a request, at debug, with who asked', async () => {
    app.logLines.length = 0;
    await app.as('admin', { url: '/api/settings' });
    const lines = app.logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter((line) => line.url === '/api/settings')).toMatchObject([
      { level: 'debug', method: 'GET', status: 200, userId: 'user-admin', msg: 'request' },
    ]);
  });
});

describe('every route', () => {
  it('names a permission or is public', async () => {
    const routes = registeredRoutes(app);
    expect(routes.length).toBeGreaterThan(10);
    // The console's own page is there only where it has been built.
    const open = routes
      .filter((route) => route.isPublic && route.url !== '/*')
      .map((route) => `${route.method} ${route.url}`);
    expect(open).toEqual([
      'GET /api/health',
      'GET /api/openapi.json',
      'GET /api/welcome',
      'GET /metrics',
      'POST /api/session',
    ]);
    for (const route of routes) expect(route.isPublic || route.permission, route.url).toBeTruthy();
  });

  it('answers nobody without a session, before it looks at the body', async () => {
    for (const route of registeredRoutes(app).filter((entry) => !entry.isPublic)) {
      const url = route.url.replace(/:\w+/g, 'x');
      const response = await app.http.inject({ method: route.method as 'GET', url });
      expect([route.method, url, response.statusCode]).toEqual([route.method, url, 401]);
    }
  });

  it('without either stops the start', async () => {
    const http = await createHttpServer(createLogger({ logLevel: 'silent' }), {
      tls: undefined,
      version: 'test',
    });
    installGuard(http, { authenticate: async () => undefined, onDenied: async () => undefined });
    expect(() => http.get('/api/forgotten', () => 'open')).toThrow(/names no permission/);
    await http.close();
  });

  it('under /api is in the API description, with a shape for its answer', async () => {
    const description = (await app.http.inject({ url: '/api/openapi.json' })).json<{
      openapi: string;
      paths: Record<string, Record<string, { responses?: Record<string, unknown> }>>;
    }>();
    expect(description.openapi).toBe('3.1.0');
    const described = registeredRoutes(app).filter(
      (route) => route.url.startsWith('/api/') && !route.isHidden && !route.isWebSocket,
    );
    expect(described.length).toBeGreaterThan(8);
    for (const { method, url } of described) {
      const operation = description.paths[url.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
      expect(operation, `${method} ${url}`).toBeDefined();
      expect(
        Object.keys(operation?.responses ?? {}).some((status) => status.startsWith('2')),
        url,
      ).toBe(true);
    }
  });
});

describe('the console’s files', () => {
  it('are served beside the API, with their own page for paths they do not have', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'weian-web-'));
    mkdirSync(join(dir, 'assets'));
    writeFileSync(join(dir, 'index.html'), '<!doctype html>console');
    writeFileSync(join(dir, 'assets', 'app-1a2b.js'), 'console');
    const http = await createHttpServer(createLogger({ logLevel: 'silent' }), {
      tls: undefined,
      version: 'test',
    });
    installGuard(http, { authenticate: async () => undefined, onDenied: async () => undefined });
    await serveWeb(http, dir);
    const get = (url: string) => http.inject({ url });
    const asset = await get('/assets/app-1a2b.js');
    expect(asset.body).toBe('console');
    expect(asset.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': expect.stringMatching(/javascript; charset=utf-8$/) as string,
    });
    for (const url of ['/', '/devices/12?tab=health', '/assets/gone.js', '/%2e%2e/%2e%2e/etc/passwd']) {
      const page = await get(url);
      expect([url, page.statusCode, page.body]).toEqual([url, 200, '<!doctype html>console']);
      expect(page.headers['cache-control']).toBe('no-cache');
      expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    }
    expect((await get('/api/nothing')).json()).toMatchObject({ code: 'not-found' });
    expect((await get('/%E0%A4%A')).statusCode).toBe(400);
    await http.close();
    rmSync(dir, { recursive: true });
  });
});
