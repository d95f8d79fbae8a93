import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '#api/auth/permissions.ts';

export interface DemoLogin {
  readonly role: Role;
  readonly username: string;
  readonly displayName: string;
  readonly password: string;
}

const people: readonly Omit<DemoLogin, 'password'>[] = [
  { role: 'admin', username: 'admin', displayName: '管理员' },
  { role: 'security', username: 'anbao', displayName: '安保 李强' },
  { role: 'engineer', username: 'gongchengshi', displayName: '工程师 王敏' },
  { role: 'desk', username: 'kefu', displayName: '客服 陈静' },
  { role: 'viewer', username: 'zhiban', displayName: '值班 赵磊' },
  { role: 'auditor', username: 'shenji', displayName: '审计 周华' },
];

const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
const makePassword = () => Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join('');

/**
 * The demo's people with passwords made on the first run and kept in `dataDir`, so that a second run prints the same ones.
 * @param adminPassword taken for the administrator instead of a made one
 */
export function loadOrMakeLogins(dataDir: string, adminPassword: string | undefined): readonly DemoLogin[] {
  const file = join(dataDir, 'demo-logins.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as DemoLogin[];
  const logins = people.map((person) => ({
    ...person,
    password: person.role === 'admin' && adminPassword ? adminPassword : makePassword(),
  }));
  writeFileSync(file, JSON.stringify(logins, null, 2), { mode: 0o600 });
  return logins;
}
