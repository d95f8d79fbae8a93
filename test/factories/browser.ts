import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import type { Role } from '#api/auth/permissions.ts';
import type { Session } from '#api/auth/schema.ts';
import { makeTestApp, type TestApp } from './app.ts';

/** What a browser keeps between requests: the session cookie and the page's CSRF token. */
export interface Browser {
  cookie: string | undefined;
  csrfToken: string | undefined;
  request(options: InjectOptions): Promise<LightMyRequestResponse>;
  logIn(username: string, password: string): Promise<LightMyRequestResponse>;
}

export const adminPassword = 'correct-horse-battery';

/** A console with real log-in, whose `admin` has {@link adminPassword}. */
export function makeLogInApp(
  overrides: Parameters<typeof makeTestApp>[0] = {},
  env: Record<string, string> = {},
): Promise<TestApp> {
  return makeTestApp({ authenticate: undefined, ...overrides }, { ADMIN_PASSWORD: adminPassword, ...env });
}

/** A browser without a session. */
export function openBrowser(app: TestApp): Browser {
  return {
    cookie: undefined,
    csrfToken: undefined,
    request(options) {
      const headers = {
        ...(this.cookie !== undefined && { cookie: this.cookie }),
        ...(this.csrfToken !== undefined && { 'x-csrf-token': this.csrfToken }),
        ...options.headers,
      };
      return app.http.inject({ ...options, headers });
    },
    async logIn(username, password) {
      const response = await this.request({
        method: 'POST',
        url: '/api/session',
        payload: { username, password },
      });
      if (response.statusCode === 200) {
        const [set] = response.cookies;
        this.cookie = `${set?.name}=${set?.value}`;
        this.csrfToken = response.json<Session>().csrfToken;
      }
      return response;
    },
  };
}

/** A browser in which the administrator is logged in. */
export async function openAdminBrowser(app: TestApp): Promise<Browser> {
  const browser = openBrowser(app);
  await browser.logIn('admin', adminPassword);
  return browser;
}

/** Somebody new of `role`, who has changed the first password to `<username>-own-password` and is logged in. */
export async function openBrowserAs(
  app: TestApp,
  admin: Browser,
  username: string,
  role: Role,
): Promise<Browser> {
  const first = `${username}-first-password`;
  const made = await admin.request({
    method: 'POST',
    url: '/api/users',
    payload: { username, displayName: username, role, password: first },
  });
  if (made.statusCode !== 201) throw new Error(`user not made: ${made.body}`);
  const browser = openBrowser(app);
  await browser.logIn(username, first);
  const changed = await browser.request({
    method: 'POST',
    url: '/api/me/password',
    payload: { currentPassword: first, newPassword: `${username}-own-password` },
  });
  if (changed.statusCode !== 200) throw new Error(`password not changed: ${changed.body}`);
  return browser;
}
