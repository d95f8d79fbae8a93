import type { Knex } from 'knex';
import { beforeEach, expect, it } from 'vitest';
import {
  createAuditTrail,
  genesisHash,
  hashOf,
  type AuditRow,
  type AuditTrail,
} from '#api/auth/audit-trail.ts';
import { migrate } from '#api/db/migrate.ts';
import { describeOnBoth } from './both-databases.ts';

const actor = { userId: 'user-1', displayName: '张三' };

describeOnBoth(({ dialect, create, open }) => {
  let db: Knex;
  let trail: AuditTrail;
  let elsewhere: AuditTrail;
  beforeEach(async () => {
    const url = await create();
    db = open(url);
    await migrate(db);
    trail = createAuditTrail({ db, now: () => 1_764_000_000_123 });
    elsewhere =
      dialect === 'postgres' ? createAuditTrail({ db: open(url), now: () => 1_764_000_000_456 }) : trail;
  });
  const rows = (): Promise<AuditRow[]> => db('audit_entries').orderBy('seq');
  const record = (subjectId: string, by = trail) =>
    by.record({ action: 'thing.done', actor, subjectType: 'thing', subjectId, detail: { 名: '值', n: 1.5 } });
  const dropTriggers = async () => {
    if (dialect === 'postgres') return db.raw('DROP TRIGGER audit_entries_append_only ON audit_entries');
    await db.raw('DROP TRIGGER audit_entries_no_update');
    return db.raw('DROP TRIGGER audit_entries_no_delete');
  };

  it('has neither holes nor forks when many write at once', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => record(`t${index}`, index % 2 ? trail : elsewhere)),
    );
    const all = await rows();
    expect(all.map((row) => row.seq)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    let previous = genesisHash;
    for (const { hash, ...rest } of all) {
      expect(rest.prev_hash).toBe(previous);
      expect(hashOf(rest)).toBe(hash);
      previous = hash;
    }
    expect(await elsewhere.verify()).toEqual({
      isIntact: true,
      checked: 60,
      firstBadSeq: null,
      problem: null,
      lastHash: previous,
    });
  });

  it('has no hole where a transaction was rolled back', async () => {
    await record('a');
    const undone = db.transaction(async (trx) => {
      await trail.record({ action: 'thing.done', actor }, trx);
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    await record('b');
    expect((await rows()).map((row) => row.seq)).toEqual([1, 2]);
    expect(await trail.verify()).toMatchObject({ isIntact: true, checked: 2 });
  });

  it('is intact while it is empty, and over more than one page', async () => {
    expect(await trail.verify()).toMatchObject({ isIntact: true, checked: 0, lastHash: genesisHash });
    let previous = genesisHash;
    const many = Array.from({ length: 1000 }, (_, index) => {
      const row = {
        seq: index + 1,
        at: index,
        actor_id: null,
        actor_name: 'system',
        action: 'a.b',
        subject_type: null,
        subject_id: null,
        outcome: 'ok' as const,
        detail_json: '{}',
        ip: null,
        request_id: null,
        prev_hash: previous,
      };
      previous = hashOf(row);
      return { ...row, hash: previous };
    });
    await db.batchInsert('audit_entries', many, 50);
    expect(await trail.verify()).toMatchObject({ isIntact: true, checked: 1000 });
    await record('one more');
    expect(await trail.verify()).toMatchObject({ isIntact: true, checked: 1001 });
  });

  it('refuses to change or remove a row, by the database itself', async () => {
    await record('a');
    const refusal = 'audit entries are append-only';
    await expect(db('audit_entries').update({ actor_name: 'x' })).rejects.toThrow(refusal);
    await expect(db('audit_entries').where({ seq: 1 }).delete()).rejects.toThrow(refusal);
    if (dialect === 'postgres') await expect(db.raw('TRUNCATE audit_entries')).rejects.toThrow(refusal);
    expect(await trail.verify()).toMatchObject({ isIntact: true, checked: 1 });
  });

  it.each([
    ['at', 5],
    ['actor_id', null],
    ['actor_name', '李四'],
    ['action', 'thing.undone'],
    ['subject_type', 'other'],
    ['subject_id', 'other'],
    ['outcome', 'failed'],
    ['detail_json', '{"名":"别的","n":1.5}'],
    ['ip', '10.0.0.1'],
    ['request_id', 'other'],
  ])('finds and names a row whose %s was changed behind the trigger', async (column, value) => {
    for (const id of ['a', 'b', 'c', 'd']) await record(id);
    await dropTriggers();
    await db('audit_entries')
      .where({ seq: 3 })
      .update({ [column]: value });
    expect(await trail.verify()).toMatchObject({
      isIntact: false,
      checked: 2,
      firstBadSeq: 3,
      problem: 'row-changed',
    });
  });

  it('finds a row whose hash was made to fit, by the row after it', async () => {
    for (const id of ['a', 'b', 'c']) await record(id);
    await dropTriggers();
    const { hash: _hash, ...second } = (await rows())[1] as AuditRow;
    const forged = { ...second, actor_name: '李四' };
    await db('audit_entries')
      .where({ seq: 2 })
      .update({ actor_name: '李四', hash: hashOf(forged) });
    expect(await trail.verify()).toMatchObject({ isIntact: false, firstBadSeq: 3, problem: 'row-misplaced' });
  });

  it('finds a row that was removed, also the first, and one put in before it', async () => {
    for (const id of ['a', 'b', 'c']) await record(id);
    await dropTriggers();
    await db('audit_entries').where({ seq: 2 }).delete();
    expect(await trail.verify()).toMatchObject({ isIntact: false, firstBadSeq: 2, problem: 'row-missing' });
    await db('audit_entries').where({ seq: 1 }).delete();
    expect(await trail.verify()).toMatchObject({ isIntact: false, firstBadSeq: 1, problem: 'row-missing' });
  });

  it('finds a row put in before the first', async () => {
    await record('a');
    const [first] = await rows();
    await db('audit_entries').insert({ ...first, seq: 0 });
    expect(await trail.verify()).toMatchObject({ isIntact: false, problem: 'row-missing' });
  });
});
