import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TestApp } from '../factories/app.ts';
import { adminPassword, makeLogInApp, openAdminBrowser, openBrowser } from '../factories/browser.ts';
import { runScript } from '../factories/script.ts';

let app: TestApp;
beforeEach(async () => {
  app = await makeLogInApp();
});
afterEach(() => app.destroy());

const reset = (username: string) => runScript('reset-password', [username], { DATA_DIR: app.dataDir });

it('lets a person who is locked out in again, once, and only to choose a new password', async () => {
  await openAdminBrowser(app);
  const browser = openBrowser(app);
  for (let round = 0; round < 12; round += 1) await browser.logIn('admin', 'wrong');
  expect((await browser.logIn('admin', adminPassword)).statusCode).not.toBe(200);

  const { code, output } = await reset('Admin');
  expect(code).toBe(0);
  const [password = ''] = /[a-z2-9]{5}(-[a-z2-9]{5}){3}/.exec(output) ?? [];
  const answer = await browser.logIn('admin', password);
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({ mustChangePassword: true });
  expect((await openBrowser(app).logIn('admin', adminPassword)).statusCode).not.toBe(200);
  expect(await app.db('sessions').count('* as n')).toEqual([{ n: 1 }]);
  const row = await app.db('audit_entries').where({ action: 'user.password-reset' }).first();
  expect(row.actor_name).toMatch(/^npm run password:reset \(.+\)$/);
  expect(JSON.stringify(row)).not.toContain(password);
});

it('names who there is when there is no such person', async () => {
  const { code, output } = await reset('nobody');
  expect(code).toBe(1);
  expect(output).toContain('admin');
});
