import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRow } from '#api/auth/audit-trail.ts';
import type { Session } from '#api/auth/schema.ts';
import type { TestApp } from '../factories/app.ts';
import {
  adminPassword,
  makeLogInApp,
  openAdminBrowser,
  openBrowser,
  openBrowserAs,
} from '../factories/browser.ts';

const minuteMs = 60_000;
let app: TestApp;
let now: number;
beforeEach(async () => {
  now = Date.parse('2026-11-24T08:00:00Z');
  app = await makeLogInApp({ now: () => now });
});
afterEach(() => app.destroy());

const trail = (action: string): Promise<AuditRow[]> =>
  app.db('audit_entries').where({ action }).orderBy('seq');
const session = { method: 'GET', url: '/api/session' } as const;
/** Answered from what the server keeps in memory of the session; `session` asks the database. */
const settings = { method: 'GET', url: '/api/settings' } as const;
const logOut = { method: 'DELETE', url: '/api/session' } as const;

describe('log-in', () => {
  it('answers who it is, what they may do and the CSRF token', async () => {
    const response = await openBrowser(app).logIn('admin', adminPassword);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      username: 'admin',
      role: 'admin',
      mustChangePassword: false,
      expiresAt: '2026-11-24T20:00:00.000Z',
    });
    expect(response.json<Session>().csrfToken).toMatch(/^[\w-]{32}$/);
    const [row] = await trail('session.opened');
    expect(row).toMatchObject({ actor_name: '管理员', outcome: 'ok', ip: '127.0.0.1' });
  });

  it('takes the name in capitals and full-width letters as the same person', async () => {
    expect((await openBrowser(app).logIn(' ＡＤmin ', adminPassword)).statusCode).toBe(200);
  });

  it('gives a cookie that scripts and other sites cannot use', async () => {
    const [cookie] = (await openBrowser(app).logIn('admin', adminPassword)).cookies;
    expect(cookie).toMatchObject({
      name: 'weian',
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: 43_200,
    });
    expect(cookie).not.toHaveProperty('secure');
  });

  it('calls the cookie __Host- and Secure under TLS', async () => {
    const secure = await makeLogInApp({}, { TLS: 'on' });
    const [cookie] = (await openBrowser(secure).logIn('admin', adminPassword)).cookies;
    expect(cookie).toMatchObject({
      name: '__Host-weian',
      secure: true,
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
    });
    expect(cookie).not.toHaveProperty('domain');
    await secure.destroy();
  });

  it('answers a wrong password and an unknown name alike', async () => {
    const wrong = await openBrowser(app).logIn('admin', 'wrong-password');
    const unknown = await openBrowser(app).logIn('nobody', 'wrong-password');
    const bodies = [wrong, unknown].map((response) => ({ ...response.json<object>(), requestId: '' }));
    expect(wrong.statusCode).toBe(401);
    expect(bodies[0]).toEqual(bodies[1]);
    expect(wrong.headers['set-cookie']).toBeUndefined();
    const reasons = (await trail('session.refused')).map((row) => JSON.parse(row.detail_json) as object);
    expect(reasons).toEqual([{ reason: 'wrong-password' }, { reason: 'unknown-name' }]);
  });

  it('does not keep a password that was typed into the name field', async () => {
    await openBrowser(app).logIn('my-secret-passphrase', 'x');
    const rows: AuditRow[] = await app.db('audit_entries');
    expect(JSON.stringify(rows)).not.toContain('secret-passphrase');
    expect(rows.at(-1)?.actor_name).toBe('my… (20)');
  });

  it('ends the session that the same browser had before', async () => {
    const browser = openBrowser(app);
    await browser.logIn('admin', adminPassword);
    const first = browser.cookie;
    await browser.logIn('admin', adminPassword);
    expect(browser.cookie).not.toBe(first);
    expect((await openBrowser(app).request({ ...session, headers: { cookie: first } })).statusCode).toBe(401);
    expect((await browser.request(session)).statusCode).toBe(200);
  });

  it('keeps only hashes of tokens and passwords in the database', async () => {
    const browser = await openAdminBrowser(app);
    const token = browser.cookie?.split('=')[1] ?? '';
    const kept = JSON.stringify([
      await app.db('sessions'),
      await app.db('users'),
      await app.db('audit_entries'),
    ]);
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(adminPassword);
    expect(kept).toContain('$argon2id$v=19$m=19456,t=2,p=1$');
    expect(app.logLines.join('')).not.toContain(token);
    expect(app.logLines.join('')).not.toContain(adminPassword);
  });
});

describe('lock-out', () => {
  const attempt = (password: string, username = 'admin') => openBrowser(app).logIn(username, password);

  it('locks for a while after 20 wrong passwords, the right one included, and opens again', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 20; index++) statuses.push((await attempt('wrong-password')).statusCode);
    expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(10).fill(423)]);
    const right = await attempt(adminPassword);
    expect(right.statusCode).toBe(423);
    expect(right.json()).toMatchObject({ code: 'auth.locked', details: { retryAfterSeconds: 900 } });
    now += 15 * minuteMs - 1;
    expect((await attempt(adminPassword)).json()).toMatchObject({ details: { retryAfterSeconds: 1 } });
    now += 1;
    expect((await attempt(adminPassword)).statusCode).toBe(200);
    expect(await trail('user.locked')).toHaveLength(1);
    const locked = (await trail('session.refused')).filter((row) => row.outcome === 'denied');
    expect(locked).toHaveLength(12);
  });

  it('gives a burst sent at once no more guesses', async () => {
    const responses = await Promise.all(Array.from({ length: 20 }, () => attempt('wrong-password')));
    expect(responses.filter((response) => response.statusCode === 401)).toHaveLength(10);
    expect(responses.filter((response) => response.statusCode === 423)).toHaveLength(10);
  });

  it('locks a name that nobody has in the same way', async () => {
    for (let index = 0; index < 10; index++) await attempt('x', 'ghost');
    expect((await attempt('x', 'ghost')).json()).toMatchObject({ code: 'auth.locked' });
  });

  it('forgets wrong passwords after a right one', async () => {
    for (let index = 0; index < 9; index++) await attempt('wrong-password');
    expect((await attempt(adminPassword)).statusCode).toBe(200);
    for (let index = 0; index < 9; index++) expect((await attempt('wrong-password')).statusCode).toBe(401);
  });

  it('is lifted by an administrator', async () => {
    const admin = await openAdminBrowser(app);
    await openBrowserAs(app, admin, 'guard', 'security');
    for (let index = 0; index < 10; index++) await attempt('wrong-password', 'guard');
    const users = (await admin.request({ method: 'GET', url: '/api/users' })).json<
      { id: string; username: string }[]
    >();
    const guard = users.find((user) => user.username === 'guard');
    expect(guard).toMatchObject({ isLocked: true });
    const lifted = await admin.request({
      method: 'PATCH',
      url: `/api/users/${guard?.id}`,
      payload: { isLocked: false },
    });
    expect(lifted.json()).toMatchObject({ isLocked: false });
    expect((await attempt('guard-own-password', 'guard')).statusCode).toBe(200);
  });

  it('also counts wrong current passwords of a session', async () => {
    const admin = await openAdminBrowser(app);
    const change = () =>
      admin.request({
        method: 'POST',
        url: '/api/me/password',
        payload: { currentPassword: 'wrong-password', newPassword: 'a-much-better-one' },
      });
    for (let index = 0; index < 10; index++) expect((await change()).statusCode).toBe(401);
    expect((await change()).json()).toMatchObject({ code: 'auth.locked' });
  });

  it('limits log-ins from one address whatever the name', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 31; index++) statuses.push((await attempt('x', `name-${index}`)).statusCode);
    expect(statuses.slice(0, 30).every((status) => status === 401)).toBe(true);
    expect(statuses[30]).toBe(429);
  });
});

describe('session', () => {
  it('dies everywhere at log-out: a stolen cookie opens nothing', async () => {
    const owner = await openAdminBrowser(app);
    const thief = openBrowser(app);
    Object.assign(thief, { cookie: owner.cookie, csrfToken: owner.csrfToken });
    expect((await thief.request(settings)).statusCode).toBe(200);
    const out = await owner.request(logOut);
    expect(out.statusCode).toBe(200);
    expect(out.cookies[0]).toMatchObject({ name: 'weian', value: '' });
    expect((await thief.request(settings)).statusCode).toBe(401);
    expect(await app.db('sessions')).toEqual([]);
    expect(await trail('session.closed')).toHaveLength(1);
  });

  it('ends after two hours without a request', async () => {
    const browser = await openAdminBrowser(app);
    for (let hour = 0; hour < 5; hour++) {
      now += 119 * minuteMs;
      expect((await browser.request(session)).statusCode).toBe(200);
    }
    now += 120 * minuteMs;
    expect((await browser.request(session)).statusCode).toBe(401);
  });

  it('ends after twelve hours of use', async () => {
    const browser = await openAdminBrowser(app);
    for (let half = 0; half < 23; half++) {
      now += 30 * minuteMs;
      expect((await browser.request(session)).statusCode).toBe(200);
    }
    now += 30 * minuteMs;
    expect((await browser.request(session)).statusCode).toBe(401);
  });

  it.each(['', 'x', 'a'.repeat(43), '%', 'weian'])('is not opened by the cookie value %j', async (value) => {
    await openAdminBrowser(app);
    const response = await openBrowser(app).request({ ...session, headers: { cookie: `weian=${value}` } });
    expect(response.json()).toMatchObject({ code: 'auth.required' });
  });

  it.each([undefined, '', 'wrong'])('does nothing that changes with the CSRF token %j', async (token) => {
    const browser = await openAdminBrowser(app);
    browser.csrfToken = token;
    const response = await browser.request(logOut);
    expect(response.json()).toMatchObject({ code: 'auth.csrf' });
    expect(await app.db('sessions')).toHaveLength(1);
    expect(await trail('request.denied')).toHaveLength(1);
  });

  it('refuses the CSRF token of another session', async () => {
    const [one, other] = [await openAdminBrowser(app), await openAdminBrowser(app)];
    one.csrfToken = other.csrfToken;
    expect((await one.request(logOut)).statusCode).toBe(403);
  });

  it('keeps a language that the person chose', async () => {
    const browser = await openAdminBrowser(app);
    await browser.request({ method: 'PATCH', url: '/api/me', payload: { locale: 'en' } });
    expect((await browser.request(session)).json()).toMatchObject({ locale: 'en' });
  });
});

describe('own password', () => {
  const change = (currentPassword: string, newPassword: string) =>
    ({ method: 'POST', url: '/api/me/password', payload: { currentPassword, newPassword } }) as const;

  it('ends the other sessions and not this one', async () => {
    const [here, there] = [await openAdminBrowser(app), await openAdminBrowser(app)];
    expect((await there.request(settings)).statusCode).toBe(200);
    expect((await here.request(change(adminPassword, 'another-good-one'))).statusCode).toBe(200);
    expect((await there.request(settings)).statusCode).toBe(401);
    expect((await here.request(settings)).statusCode).toBe(200);
    expect((await openBrowser(app).logIn('admin', adminPassword)).statusCode).toBe(401);
    expect((await openBrowser(app).logIn('admin', 'another-good-one')).statusCode).toBe(200);
    expect(await trail('user.password-changed')).toHaveLength(1);
  });

  it.each([
    ['short', 'too-short'],
    ['administrator', 'common'],
    ['1234567890', 'common'],
    [adminPassword, 'unchanged'],
  ])('may not become %j', async (password, problem) => {
    const browser = await openAdminBrowser(app);
    const response = await browser.request(change(adminPassword, password));
    expect(response.json()).toMatchObject({ code: 'auth.password-weak', details: { problem } });
  });
});
