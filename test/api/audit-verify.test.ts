import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AuditRow } from '#api/auth/audit-trail.ts';
import type { TestApp } from '../factories/app.ts';
import { makeLogInApp, openAdminBrowser } from '../factories/browser.ts';
import { runScript } from '../factories/script.ts';

let app: TestApp;
beforeEach(async () => {
  app = await makeLogInApp();
  await openAdminBrowser(app);
  await openAdminBrowser(app);
  await openAdminBrowser(app);
});
afterEach(() => app.destroy());

const run = (env: Record<string, string>) => runScript('audit-verify', [], env);

it('says that a good trail is intact, beside a running server, and is on the trail itself', async () => {
  const { code, output } = await run({ DATA_DIR: app.dataDir });
  expect(output).toContain('The audit trail is intact; rows checked: 3.');
  expect(code).toBe(0);
  const rows: AuditRow[] = await app.db('audit_entries').orderBy('seq');
  expect(rows.at(-1)).toMatchObject({ seq: 4, action: 'audit.verified', outcome: 'ok' });
  expect(rows.at(-1)?.actor_name).toMatch(/^npm run audit:verify \(.+\)$/);
  expect(output).toContain(rows.at(-2)?.hash);
  expect((await run({ DATA_DIR: app.dataDir })).output).toContain('rows checked: 4');
});

it('names the row that was changed behind the server’s back', async () => {
  await app.db.raw('DROP TRIGGER audit_entries_no_update');
  await app.db('audit_entries').where({ seq: 2 }).update({ ip: '10.9.9.9' });
  const { code, output } = await run({ DATA_DIR: app.dataDir });
  expect(output).toContain('THE AUDIT TRAIL IS BROKEN at row 2: its content was changed');
  expect(output).toContain('The first row there now:');
  expect(code).toBe(1);
});

it('says so when there is nothing to check, and makes no empty database', async () => {
  const { code, output } = await run({ DATA_DIR: `${app.dataDir}/none` });
  expect(output).toContain('There is no database at');
  expect(code).toBe(2);
  const bad = await run({ DATA_DIR: app.dataDir, PORT: 'x' });
  expect(bad.output).toContain('PORT: expected a whole number');
  expect(bad.code).toBe(2);
});
