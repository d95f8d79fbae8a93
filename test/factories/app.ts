import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions, LightMyRequestResponse, RouteOptions } from 'fastify';
import { buildApp, type Overrides, type Weian } from '#api/app.ts';
import { loadConfig } from '#api/config.ts';
import { createLogger } from '#api/log.ts';
import type { Role } from '#api/auth/permissions.ts';

export interface TestApp extends Weian {
  readonly dataDir: string;
  /** Every line the program logged, for tests that look for secrets. */
  readonly logLines: string[];
  /** Every route it has; see registeredRoutes. */
  readonly routes: readonly RouteOptions[];
  /** A request as somebody of `role`, who is user `user-<role>` with a valid session and CSRF token. */
  as(role: Role, options: InjectOptions): Promise<LightMyRequestResponse>;
  /** Closes the app and deletes its folder. */
  destroy(): Promise<void>;
}

/**
 * A console on a temporary folder and a real SQLite file, without TLS. `as()` sends `x-test-role`, which stands for a session unless
 * `overrides.authenticate` says otherwise; log-in itself is tested through its own routes.
 */
export async function makeTestApp(
  overrides: Partial<Overrides> = {},
  env: Record<string, string> = {},
): Promise<TestApp> {
  const dataDir = env.DATA_DIR ?? mkdtempSync(join(tmpdir(), 'weian-test-'));
  const logLines: string[] = [];
  const routes: RouteOptions[] = [];
  const config = loadConfig({ DATA_DIR: dataDir, TLS: 'off', LOG_LEVEL: 'debug', HOST: '127.0.0.1', ...env });
  const log = createLogger(config, { write: (line) => logLines.push(line) });
  const weian = await buildApp(config, {
    log,
    onRoute: (route) => void routes.push(route),
    authenticate: async (request) => {
      const role = request.headers['x-test-role'] as Role | undefined;
      if (!role) return undefined;
      return {
        userId: `user-${role}`,
        username: role,
        displayName: role,
        role,
        sessionHash: 'test',
        csrfToken: 'test',
        mustChangePassword: false,
      };
    },
    ...overrides,
  });
  return {
    ...weian,
    dataDir,
    logLines,
    routes,
    as: (role, options) =>
      weian.http.inject({
        ...options,
        headers: { ...options.headers, 'x-test-role': role, 'x-csrf-token': 'test' },
      }),
    async destroy() {
      await weian.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
