import { userInfo } from 'node:os';
import type { Knex } from 'knex';
import { createAuditTrail, type ChainCheck } from '#api/auth/audit-trail.ts';
import { toWire } from '#api/clock.ts';
import { runOnDatabase, say } from './existing-database.ts';

/**
 * `npm run audit:verify`: walks the audit trail of the database that the configuration names and says whether any row was changed, removed or
 * put in. Runs beside a running server; the run itself is a row on the trail. Exit code 0: intact, 1: broken, 2: could not be checked.
 */
async function verify(db: Knex): Promise<number> {
  const audit = createAuditTrail({ db, now: Date.now });
  const check = await audit.verify();
  for (const line of describe(check)) say(process.stdout, line);
  if (check.firstBadSeq !== null) await showRow(db, check.firstBadSeq);
  await audit.record({
    action: 'audit.verified',
    actor: { system: `npm run audit:verify (${userInfo().username})` },
    outcome: check.isIntact ? 'ok' : 'failed',
    detail: { ...check },
  });
  return check.isIntact ? 0 : 1;
}

const problems: Readonly<Record<NonNullable<ChainCheck['problem']>, string>> = {
  'row-missing': 'it is missing, or a row was put in before it / 该条缺失，或其前被插入记录',
  'row-misplaced': 'it does not follow the row before it / 与前一条不衔接',
  'row-changed': 'its content was changed / 内容被改动',
};

function describe({ isIntact, checked, firstBadSeq, problem, lastHash }: ChainCheck): string[] {
  if (isIntact)
    return [
      `The audit trail is intact; rows checked: ${checked}. / 审计记录完整，共检查 ${checked} 条。`,
      `Last hash: ${lastHash}`,
      'Note number and hash: rows cut off at the end can only be seen against an earlier note.',
    ];
  return [
    `THE AUDIT TRAIL IS BROKEN at row ${firstBadSeq}${problem ? `: ${problems[problem]}` : ''}.`,
    `审计记录在第 ${firstBadSeq} 条处断裂。 The ${checked} rows before it are intact.`,
  ];
}

async function showRow(db: Knex, seq: number): Promise<void> {
  const row: { at: number; actor_name: string; action: string } | undefined = await db('audit_entries')
    .where('seq', '>=', seq)
    .orderBy('seq')
    .first();
  if (row) say(process.stdout, `The first row there now: ${toWire(row.at)} ${row.actor_name} ${row.action}`);
}

await runOnDatabase('The audit trail could not be checked', verify);
