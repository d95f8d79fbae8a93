import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRow } from '#api/auth/audit-trail.ts';
import { can, permissions, roles } from '#api/auth/permissions.ts';
import type { AuditPage, User } from '#api/auth/schema.ts';
import type { TestApp } from '../factories/app.ts';
import {
  adminPassword,
  makeLogInApp,
  openAdminBrowser,
  openBrowser,
  openBrowserAs,
  type Browser,
} from '../factories/browser.ts';

let app: TestApp;
let admin: Browser;
beforeEach(async () => {
  app = await makeLogInApp();
  admin = await openAdminBrowser(app);
});
afterEach(() => app.destroy());

const session = { method: 'GET', url: '/api/session' } as const;
const settings = { method: 'GET', url: '/api/settings' } as const;
const listUsers = async () => (await admin.request({ method: 'GET', url: '/api/users' })).json<User[]>();
async function idOf(username: string): Promise<string> {
  const user = (await listUsers()).find((entry) => entry.username === username);
  if (!user) throw new Error(`no ${username}`);
  return user.id;
}
const patch = async (username: string, payload: object) =>
  admin.request({ method: 'PATCH', url: `/api/users/${await idOf(username)}`, payload });
const create = (payload: object) =>
  admin.request({
    method: 'POST',
    url: '/api/users',
    payload: {
      username: 'guard',
      displayName: '保安一',
      role: 'security',
      password: 'first-password',
      ...payload,
    },
  });

describe('a new person', () => {
  it('can do nothing before changing the first password, then what the role allows', async () => {
    expect((await create({ role: 'engineer' })).statusCode).toBe(201);
    const guard = openBrowser(app);
    expect((await guard.logIn('guard', 'first-password')).json()).toMatchObject({ mustChangePassword: true });
    expect((await guard.request(settings)).json()).toMatchObject({ code: 'auth.must-change-password' });
    expect((await guard.request(session)).statusCode).toBe(200);
    const changed = await guard.request({
      method: 'POST',
      url: '/api/me/password',
      payload: { currentPassword: 'first-password', newPassword: 'own-password-1' },
    });
    expect(changed.json()).toMatchObject({ mustChangePassword: false });
    expect((await guard.request(settings)).statusCode).toBe(200);
  });

  it('cannot have a name that is taken, in any spelling', async () => {
    await create({});
    expect((await create({ username: 'ＧＵard' })).json()).toMatchObject({ code: 'user.name-taken' });
    expect(await listUsers()).toHaveLength(2);
  });

  it.each([
    [{ password: 'short' }, 'auth.password-weak'],
    [{ password: 'guardguard1', username: 'guardguard' }, 'auth.password-weak'],
    [{ username: 'two words' }, 'request.invalid'],
    [{ username: 'x' }, 'request.invalid'],
    [{ role: 'root' }, 'request.invalid'],
    [{ isActive: true }, 'request.invalid'],
  ])('is not made with %j', async (payload, code) => {
    expect((await create(payload)).json()).toMatchObject({ code });
    expect(await listUsers()).toHaveLength(1);
  });

  it('may have a Chinese name', async () => {
    expect((await create({ username: '张三' })).json()).toMatchObject({ username: '张三', locale: 'zh-CN' });
    expect((await openBrowser(app).logIn('张三', 'first-password')).statusCode).toBe(200);
  });
});

describe('a change by the administrator', () => {
  let guard: Browser;
  beforeEach(async () => {
    guard = await openBrowserAs(app, admin, 'guard', 'engineer');
    expect((await guard.request(settings)).statusCode).toBe(200);
  });

  it('of the role counts from the next request', async () => {
    await patch('guard', { role: 'viewer' });
    expect((await guard.request(settings)).json()).toMatchObject({ code: 'auth.forbidden' });
    const [row] = (await app.db('audit_entries').where({ action: 'user.changed' })) as AuditRow[];
    expect(row).toMatchObject({ actor_name: '管理员', subject_id: await idOf('guard') });
    expect(JSON.parse(row?.detail_json ?? '')).toEqual({ role: { from: 'engineer', to: 'viewer' } });
  });

  it('that deactivates ends the sessions and the log-in', async () => {
    await patch('guard', { isActive: false });
    expect((await guard.request(settings)).statusCode).toBe(401);
    expect((await openBrowser(app).logIn('guard', 'guard-own-password')).json()).toMatchObject({
      code: 'auth.wrong-password',
    });
    await patch('guard', { isActive: true });
    expect((await guard.request(settings)).statusCode).toBe(401);
    expect((await openBrowser(app).logIn('guard', 'guard-own-password')).statusCode).toBe(200);
  });

  it('of the password ends the sessions, and must be changed by the person', async () => {
    const response = await patch('guard', { password: 'set-by-the-admin' });
    expect(response.json()).toMatchObject({ mustChangePassword: true });
    expect((await guard.request(settings)).statusCode).toBe(401);
    expect((await guard.logIn('guard', 'set-by-the-admin')).json()).toMatchObject({
      mustChangePassword: true,
    });
    expect(JSON.stringify(await app.db('audit_entries'))).not.toContain('set-by-the-admin');
  });

  it('of nobody is not found', async () => {
    const response = await admin.request({
      method: 'PATCH',
      url: '/api/users/none',
      payload: { role: 'viewer' },
    });
    expect(response.json()).toMatchObject({ code: 'not-found' });
  });
});

describe('the last administrator', () => {
  it.each([{ role: 'viewer' }, { isActive: false }])('stays one (%j)', async (change) => {
    expect((await patch('admin', change)).json()).toMatchObject({ code: 'auth.last-admin' });
    expect((await admin.request(session)).json()).toMatchObject({ role: 'admin' });
  });

  it('may go once there is another active one, but not both at the same time', async () => {
    await openBrowserAs(app, admin, 'second', 'admin');
    const [first, second] = [await idOf('admin'), await idOf('second')];
    const results = await Promise.all(
      [first, second].map((id) =>
        admin.request({ method: 'PATCH', url: `/api/users/${id}`, payload: { role: 'viewer' } }),
      ),
    );
    expect(results.map((result) => result.statusCode).sort()).toEqual([200, 409]);
  });
});

describe('roles', () => {
  it('give each role exactly what the table says, on a route of every permission that has one', async () => {
    const probes = [
      ['settings.read', settings],
      ['users.read', { method: 'GET', url: '/api/users' }],
      ['audit.read', { method: 'GET', url: '/api/audit' }],
      ['self', session],
    ] as const;
    for (const role of roles) {
      const browser = await openBrowserAs(app, admin, `a-${role}`, role);
      for (const [permission, probe] of probes) {
        const { statusCode } = await browser.request(probe);
        expect([role, permission, statusCode]).toEqual([role, permission, can(role, permission) ? 200 : 403]);
      }
    }
  });

  it('leave nothing that nobody may do, and give the administrator everything', () => {
    for (const permission of permissions)
      expect([permission, can('admin', permission)]).toEqual([permission, true]);
    for (const role of roles) expect([role, can(role, 'self')]).toEqual([role, true]);
    const withUsers = roles.filter((role) => can(role, 'users.edit') || can(role, 'settings.edit'));
    expect(withUsers).toEqual(['admin']);
    expect(roles.filter((role) => can(role, 'footage.export'))).toEqual(['security', 'admin']);
  });

  it('put a refused request on the trail with who tried what', async () => {
    const viewer = await openBrowserAs(app, admin, 'looker', 'viewer');
    const tried = await viewer.request({ method: 'POST', url: '/api/users', payload: { any: 'thing' } });
    expect(tried.statusCode).toBe(403);
    const rows: AuditRow[] = await app.db('audit_entries').where({ action: 'request.denied' });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      actor_name: 'looker',
      outcome: 'denied',
      request_id: tried.json<{ requestId: string }>().requestId,
    });
    expect(JSON.parse(rows[0]?.detail_json ?? '')).toEqual({
      method: 'POST',
      route: '/api/users',
      permission: 'users.edit',
      code: 'auth.forbidden',
    });
  });
});

describe('first run', () => {
  const request = { hospitalName: '都江堰市人民医院', cameraNetworks: ['10.20.0.0/16'] };
  const finish = (browser: Browser, payload: object = request) =>
    browser.request({ method: 'POST', url: '/api/first-run', payload });
  const welcome = async (target = app) =>
    (await openBrowser(target).request({ method: 'GET', url: '/api/welcome' })).json<object>();

  it('is asked for until done, once, and keeps what was said', async () => {
    expect(await welcome()).toMatchObject({
      isFirstRun: true,
      hospitalName: '',
      certificateFingerprint: null,
    });
    expect((await finish(admin)).json()).toMatchObject({ username: 'admin' });
    expect(await welcome()).toMatchObject({ isFirstRun: false, hospitalName: request.hospitalName });
    expect((await admin.request(settings)).json()).toMatchObject({
      network: { cameraNetworks: ['10.20.0.0/16'] },
    });
    expect((await finish(admin)).json()).toMatchObject({ code: 'setup.done' });
  });

  it('keeps the networks named at installation when none are given', async () => {
    const installed = await makeLogInApp({}, { CAMERA_NETWORKS: '10.30.0.0/16' });
    const browser = openBrowser(installed);
    await browser.logIn('admin', adminPassword);
    expect((await finish(browser, { hospitalName: request.hospitalName })).statusCode).toBe(200);
    expect((await browser.request(settings)).json()).toMatchObject({
      network: { cameraNetworks: ['10.30.0.0/16'] },
    });
    expect((await browser.request({ method: 'GET', url: '/api/session' })).json()).toMatchObject({
      siteTimeZone: 'Asia/Shanghai',
    });
    await installed.destroy();
  });

  it('can be left for good', async () => {
    const left = await admin.request({
      method: 'PATCH',
      url: '/api/settings',
      payload: { setup: { isDone: true } },
    });
    expect(left.statusCode).toBe(200);
    expect(await welcome()).toMatchObject({ isFirstRun: false });
  });

  it.each([[['10.20.0.0/33']], [['999.1.1.1/8']], [['10.0.0.0']], [['::1/128']]])(
    'refuses the networks %j',
    async (cameraNetworks) => {
      expect((await finish(admin, { ...request, cameraNetworks })).json()).toMatchObject({
        code: 'request.invalid',
      });
    },
  );

  it('is for administrators', async () => {
    const engineer = await openBrowserAs(app, admin, 'eng', 'engineer');
    expect((await finish(engineer)).json()).toMatchObject({ code: 'auth.forbidden' });
    expect((await finish(openBrowser(app))).json()).toMatchObject({ code: 'auth.required' });
  });

  it('begins with a one-time password when none was configured, which must be changed', async () => {
    const fresh = await makeLogInApp({}, { ADMIN_PASSWORD: '' });
    const oneTime = fresh.oneTimePassword ?? '';
    expect(oneTime).toMatch(/^([a-z2-9]{5}-){3}[a-z2-9]{5}$/);
    expect(fresh.logLines.join('')).not.toContain(oneTime);
    const browser = openBrowser(fresh);
    expect((await browser.logIn('admin', oneTime)).json()).toMatchObject({ mustChangePassword: true });
    expect((await browser.request(settings)).json()).toMatchObject({ code: 'auth.must-change-password' });
    expect((await finish(browser)).json()).toMatchObject({ code: 'auth.must-change-password' });
    expect((await finish(browser, { ...request, newPassword: 'weak' })).json()).toMatchObject({
      code: 'auth.password-weak',
    });
    expect(await welcome(fresh)).toMatchObject({ isFirstRun: true });
    const done = await finish(browser, { ...request, newPassword: 'my-own-long-one' });
    expect(done.json()).toMatchObject({ mustChangePassword: false });
    expect((await browser.request(settings)).statusCode).toBe(200);
    expect((await openBrowser(fresh).logIn('admin', oneTime)).statusCode).toBe(401);
    await fresh.destroy();
  });

  it('prints no password when one was configured', () => {
    expect(app.oneTimePassword).toBeUndefined();
  });
});

describe('the trail', () => {
  const read = async (query: Record<string, string>) =>
    (await admin.request({ method: 'GET', url: '/api/audit', query })).json<AuditPage>();

  it('comes newest first, in pages, and by action, actor and time', async () => {
    for (let index = 0; index < 5; index++) await openBrowser(app).logIn('admin', adminPassword);
    await openBrowser(app).logIn('admin', 'wrong-password');
    const first = await read({ limit: '4' });
    expect(first.entries.map((entry) => entry.seq)).toEqual([7, 6, 5, 4]);
    const second = await read({ limit: '4', beforeSeq: String(first.nextBeforeSeq) });
    expect(second).toMatchObject({ nextBeforeSeq: null });
    expect(second.entries.map((entry) => entry.seq)).toEqual([3, 2, 1]);
    expect((await read({ action: 'session.refused' })).entries.map((entry) => entry.seq)).toEqual([7]);
    expect((await read({ actor: '管理' })).entries).toHaveLength(6);
    expect((await read({ actor: '%' })).entries).toHaveLength(0);
    expect(
      (await read({ from: '2020-01-01T08:00:00+08:00', to: '2020-01-02T00:00:00Z' })).entries,
    ).toHaveLength(0);
    expect((await read({ from: '2020-01-01T08:00:00+08:00' })).entries).toHaveLength(7);
  });

  it.each<Record<string, string>>([
    { limit: '0' },
    { limit: '501' },
    { limit: 'x' },
    { from: 'yesterday' },
    { from: '2026-01-01T00:00:00' },
    { other: '1' },
  ])('refuses the query %j', async (query) => {
    const response = await admin.request({
      method: 'GET',
      url: '/api/audit',
      query,
    });
    expect(response.json()).toMatchObject({ code: 'request.invalid' });
  });

  it('is checked on request, which itself is on the trail with who asked', async () => {
    const auditor = await openBrowserAs(app, admin, 'auditor', 'auditor');
    const verify = { method: 'POST', url: '/api/audit/verify' } as const;
    const before = (await read({})).entries[0];
    expect((await auditor.request(verify)).json()).toEqual({
      isIntact: true,
      checked: before?.seq,
      firstBadSeq: null,
      problem: null,
      lastHash: before?.hash,
    });
    await app.db.raw('DROP TRIGGER audit_entries_no_update');
    await app.db('audit_entries').where({ seq: 2 }).update({ actor_name: 'somebody else' });
    expect((await auditor.request(verify)).json()).toMatchObject({
      isIntact: false,
      firstBadSeq: 2,
      problem: 'row-changed',
    });
    const rows = (await read({ action: 'audit.verified' })).entries;
    expect(rows.map((row) => [row.actorName, row.outcome])).toEqual([
      ['auditor', 'failed'],
      ['auditor', 'ok'],
    ]);
  });
});
