import type { Knex } from 'knex';
import { beforeAll, expect, it } from 'vitest';
import { migrate, migrations } from '#api/db/migrate.ts';
import { createHoldStore } from '#api/footage/hold-store.ts';
import { createRetentionStore } from '#api/footage/retention-store.ts';
import { createSegmentStore } from '#api/footage/segment-store.ts';
import { daysBetween } from '#api/footage/site-days.ts';
import { addChannel } from '../factories/footage.ts';
import { describeOnBoth } from './both-databases.ts';

const hourMs = 3_600_000;
const days = daysBetween('2026-11-20', '2026-11-26', 'Asia/Shanghai');
const startAt = days[1]?.fromAt ?? 0; // midnight of the 21st
const fileAt = (channelId: string, at: number, lengthMs = 60_000) => ({
  channelId,
  runId: 'run',
  file: `${channelId}/${at}.mp4`,
  startAt: at,
  endAt: at + lengthMs,
  sizeBytes: 1000,
  videoCodec: 'h264',
  hasAudio: false,
});

describeOnBoth((databases) => {
  let db: Knex;
  beforeAll(async () => {
    db = databases.open(await databases.create());
    await migrate(db);
    for (const id of ['c1', 'c2', 'c3']) await addChannel(db, { id });
  });

  it('finds the days with footage in one query, over midnight too, and no others', async () => {
    const segments = createSegmentStore(db);
    await segments.insert(fileAt('c1', startAt - 30_000)); // half on the 20th, half on the 21st
    await segments.insert(fileAt('c1', startAt + 30 * hourMs));
    await segments.insert(fileAt('c1', (days[4]?.fromAt ?? 0) - 60_000)); // ends with the 23rd, is nothing of the 24th
    await segments.insert(fileAt('c2', startAt + 80 * hourMs));
    const found = await segments.findCovered('c1', days);
    expect(found.map((index) => days[index]?.day)).toEqual([
      '2026-11-20',
      '2026-11-21',
      '2026-11-22',
      '2026-11-23',
    ]);
    expect(await segments.findCovered('c1', [])).toEqual([]);
  });

  it('forgets files in one step but for those that a hold in force covers, and sums them up', async () => {
    const segments = createSegmentStore(db);
    const base = startAt + 1_000 * hourMs;
    for (let n = 0; n < 6; n += 1) await segments.insert(fileAt('c3', base + n * 60_000));
    expect((await segments.totalsByChannel()).get('c3')).toEqual({ count: 6, sizeBytes: 6000 });
    const all = await segments.listOldestOf('c3', 10);
    expect(await segments.listOldestOf('c3', 3, all[2])).toEqual(all.slice(3));
    const gone = await segments.removeAll(
      all,
      'deleted-by-retention',
      1,
      db.raw('segments.start_at BETWEEN ? AND ?', [base + 60_000, base + 120_000]),
    );
    expect(gone.map((segment) => segment.id)).toEqual([0, 3, 4, 5].map((n) => all[n]?.id));
    expect((await segments.totalsByChannel()).get('c3')).toEqual({ count: 2, sizeBytes: 2000 });
    expect(await segments.listRemovals('c3', { fromAt: base, toAt: base + hourMs })).toEqual([
      { fromAt: base, toAt: base + 60_000, cause: 'deleted-by-retention' },
      { fromAt: base + 180_000, toAt: base + 360_000, cause: 'deleted-by-retention' },
    ]);
    expect((await segments.oldestByChannel()).get('c3')).toBe(base + 60_000);
    const rates = await segments.bytesPerDayByChannel(base);
    expect(rates).toEqual(new Map([['c3', (1000 / 60_000) * 86_400_000]]));
  });

  it('ends a hold when its time has come: it protects until then, not after, and its record stays', async () => {
    const holds = createHoldStore(db);
    const id = await db.transaction((trx) =>
      holds.insert(
        { channelId: 'c1', fromAt: 0, toAt: 10, reason: '取证', createdBy: 'nobody', untilAt: 1000 },
        1,
        trx,
      ),
    );
    expect(await holds.listInForce(999)).toHaveLength(1);
    expect(await holds.listInForce(1000)).toHaveLength(0);
    expect(await db.transaction((trx) => holds.endDue(999, trx))).toEqual([]);
    expect(await db.transaction((trx) => holds.endDue(5000, trx))).toMatchObject([{ id, releasedAt: 1000 }]);
    expect(await db.transaction((trx) => holds.endDue(5000, trx))).toEqual([]);
    expect(await holds.find(id)).toMatchObject({ untilAt: 1000, releasedAt: 1000 });
  });

  it('puts channels into classes, and back into the default one when theirs is removed', async () => {
    const classes = createRetentionStore(db);
    expect(await classes.list()).toMatchObject([
      { id: 'general', minDays: 30, maxDays: 30, isDefault: true, channelIds: ['c1', 'c2', 'c3'] },
      { id: 'listed', minDays: 90, maxDays: 90, isDefault: false, channelIds: [] },
    ]);
    await db.transaction(async (trx) => {
      await classes.insert({ id: 'long', name: '药库', minDays: 30, maxDays: 180 }, 'somebody', 1, trx);
      await classes.assign('listed', ['c1'], trx);
      await classes.assign('long', ['c1', 'c2'], trx);
    });
    const idsOf = async (id: string) => (await classes.list()).find((entry) => entry.id === id)?.channelIds;
    expect([await idsOf('general'), await idsOf('listed'), await idsOf('long')]).toEqual([
      ['c3'],
      [],
      ['c1', 'c2'],
    ]);
    expect(await db.transaction((trx) => classes.remove('general', trx))).toBe(false);
    expect(await db.transaction((trx) => classes.remove('long', trx))).toBe(true);
    expect(await idsOf('general')).toEqual(['c1', 'c2', 'c3']);
  });

  it('takes the age limit of before as the maximum of the general class', async () => {
    const old = databases.open(await databases.create());
    const before = migrations.slice(
      0,
      migrations.findIndex((step) => step.name === '0005-keeping'),
    );
    await migrate(old, before);
    const value = { retentionDays: 14, minFreeBytes: 200_000_000, maxBytes: null, warnDaysLeft: 3 };
    await old('settings').insert({ key: 'storage', value_json: JSON.stringify(value), updated_at: 0 });
    await migrate(old);
    expect((await createRetentionStore(old).list())[0]).toMatchObject({ minDays: 14, maxDays: 14 });
    const row: { value_json: string } = await old('settings').where({ key: 'storage' }).first();
    expect(JSON.parse(row.value_json)).toEqual({
      minFreeBytes: 200_000_000,
      maxBytes: null,
      warnDaysLeft: 3,
    });
  });
});
