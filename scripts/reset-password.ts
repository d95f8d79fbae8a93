import { userInfo } from 'node:os';
import type { Knex } from 'knex';
import { createAuditTrail } from '#api/auth/audit-trail.ts';
import { makePassword } from '#api/auth/first-admin.ts';
import { createPasswordHasher } from '#api/auth/password-hasher.ts';
import { createSessionStore } from '#api/auth/session-store.ts';
import { createUserStore } from '#api/auth/user-store.ts';
import { runOnDatabase, say } from './existing-database.ts';

/**
 * `npm run password:reset -- <user name>`: for whoever may log in to the server itself, when nobody can log in to the console any more. Gives the
 * person a one-time password that the next log-in must change, lets an inactive or locked account in again, and ends its sessions (a running
 * server notices within 30 s). On the audit trail. Exit code 0: done, 1: no such person, 2: could not be done.
 */
async function reset(db: Knex): Promise<number> {
  const users = createUserStore(db);
  const [username = ''] = process.argv.slice(2);
  const everybody = await users.list();
  const user = everybody.find((each) => each.username === username.trim().toLowerCase());
  if (!user) {
    say(process.stderr, `Give the name of a person: ${everybody.map((each) => each.username).join(', ')}`);
    return 1;
  }
  const password = makePassword();
  const passwordHash = await createPasswordHasher().hash(password);
  const audit = createAuditTrail({ db, now: Date.now });
  await db.transaction(async (trx) => {
    const change = { passwordHash, mustChangePassword: true, isActive: true };
    await users.update(user.id, change, Date.now(), trx);
    await users.clearAttempts(user.username, trx);
    await createSessionStore(db).deleteOfUser(user.id, undefined, trx);
    await audit.record(
      {
        action: 'user.password-reset',
        actor: { system: `npm run password:reset (${userInfo().username})` },
        subjectType: 'user',
        subjectId: user.id,
        detail: { username: user.username, wasActive: user.isActive },
      },
      trx,
    );
  });
  say(process.stdout, `One-time password of ${user.username} 一次性密码: ${password}`);
  return 0;
}

await runOnDatabase('The password could not be reset', reset);
