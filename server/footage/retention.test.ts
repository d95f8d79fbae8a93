import { describe, expect, it } from 'vitest';
import { createQueue } from './retention-queue.ts';
import {
  bytesToFree,
  chooseDeletions,
  dayMs,
  forecastDays,
  judgeRoom,
  type ChannelQueue,
  type KeepRule,
  type Protection,
  type RoomFacts,
} from './retention.ts';

const now = 1000 * dayMs;
const rule = { minDays: 30, maxDays: 60 };
/** A file of ten minutes that ended `age` days ago. */
const segment = (id: string, age: number, channelId = 'c1', sizeBytes = 10) => ({
  id,
  channelId,
  startAt: now - age * dayMs - 600_000,
  endAt: now - age * dayMs,
  sizeBytes,
});
type File = ReturnType<typeof segment>;
const queueOf = (files: readonly File[], channelRule: KeepRule = rule, channelId = 'c1') =>
  createQueue<File>(
    { channelId, rule: channelRule },
    {
      list: async (_id, limit, after) => {
        const from = after ? files.indexOf(after) + 1 : 0;
        return files.slice(from, from + limit);
      },
      isSkipped: (file) => file.id.startsWith('stuck'),
    },
  );
async function choose(
  queues: readonly ChannelQueue<File>[],
  { toFreeBytes = 0, protections = [] as Protection[] } = {},
): Promise<string[]> {
  const found: string[] = [];
  for await (const deletion of chooseDeletions({ queues, protections, now, toFreeBytes }))
    found.push(`${deletion.segment.id}:${deletion.why}`);
  return found;
}

describe('chooseDeletions', () => {
  const files = [segment('a', 70), segment('b', 60), segment('c', 45), segment('d', 31), segment('e', 5)];

  it('deletes what is over its maximum although there is room, to the exact end of the last day', async () => {
    expect(await choose([queueOf(files)])).toEqual(['a:age', 'b:age']);
    expect(await choose([queueOf(files.slice(2))])).toEqual([]);
  });
  it('frees as much more as is asked, oldest first, and counts what was old as room made', async () => {
    expect(await choose([queueOf(files)], { toFreeBytes: 20 })).toEqual(['a:age', 'b:age']);
    expect(await choose([queueOf(files)], { toFreeBytes: 21 })).toEqual(['a:age', 'b:age', 'c:space']);
  });
  it('goes below the minimum only when nothing else is left, and says so', async () => {
    expect(await choose([queueOf(files)], { toFreeBytes: 50 })).toEqual([
      'a:age',
      'b:age',
      'c:space',
      'd:space',
      'e:breach',
    ]);
  });
  it('takes first what is longest past the minimum of its class, not what is oldest', async () => {
    const listed = queueOf(
      [segment('l100', 100, 'c2'), segment('l95', 95, 'c2')],
      { minDays: 90, maxDays: 180 },
      'c2',
    );
    const general = queueOf([segment('g50', 50), segment('g32', 32), segment('g20', 20)]);
    // 50 is 20 days over its minimum of 30, 100 is 10 over its 90, 95 is 5, 32 is 2, and 20 lacks 10.
    expect(await choose([listed, general], { toFreeBytes: 45 })).toEqual([
      'g50:space',
      'l100:space',
      'l95:space',
      'g32:space',
      'g20:breach',
    ]);
  });
  it('passes over what is protected, by a single overlapping millisecond, and takes the next', async () => {
    const a = files[0] as File;
    const touching = [{ channelId: 'c1', fromAt: a.endAt, toAt: a.endAt + 1 }];
    const inside = [{ channelId: 'c1', fromAt: a.endAt - 1, toAt: a.endAt }];
    const other = [{ channelId: 'c2', fromAt: 0, toAt: now }];
    expect(await choose([queueOf(files)], { protections: touching })).toEqual(['a:age', 'b:age']);
    expect(await choose([queueOf(files)], { protections: other })).toEqual(['a:age', 'b:age']);
    expect(await choose([queueOf(files)], { protections: inside, toFreeBytes: 20 })).toEqual([
      'b:age',
      'c:space',
    ]);
  });
  it('deletes nothing when all is protected, however old and however tight', async () => {
    const protections = [{ channelId: 'c1', fromAt: 0, toAt: now }];
    expect(await choose([queueOf(files)], { protections, toFreeBytes: 1_000 })).toEqual([]);
  });
  it('goes on past a file that cannot be deleted and over the end of a page', async () => {
    const many = [
      segment('stuck', 80),
      ...Array.from({ length: 600 }, (_, n) => segment(`n${n}`, 70 - n / 1000)),
    ];
    expect(await choose([queueOf(many)])).toHaveLength(600);
  });
});

describe('forecastDays', () => {
  const loads = [
    { id: 'general', minDays: 30, maxDays: 60, bytesPerDay: 10 },
    { id: 'listed', minDays: 90, maxDays: 90, bytesPerDay: 1 },
  ];
  const days = (limitBytes: number | null) =>
    [...forecastDays(loads, limitBytes).values()].map((value) => value && Math.round(value * 100) / 100);

  it('gives every class its maximum where there is room, and no figure where there is no limit or no bitrate', () => {
    expect(days(10_000)).toEqual([60, 90]);
    expect(days(null)).toEqual([null, null]);
    expect(forecastDays([{ id: 'x', minDays: 1, maxDays: 2, bytesPerDay: null }], 100).get('x')).toBeNull();
  });
  it('shares what is over the minimums, and what lacks, by equal days', () => {
    expect(days(10 * 40 + 90)).toEqual([40, 90]);
    expect(days(10 * 20 + 80)).toEqual([20, 80]);
    expect(days(50)).toEqual([0, 50]); // what lacks most of all is the class with the longer minimum
  });
});

describe('bytesToFree', () => {
  const facts = { usedBytes: 900, freeBytes: 500, minFreeBytes: 100, maxBytes: 1000, headroomBytes: 50 };
  it('is zero within both limits and the larger lack otherwise', () => {
    expect(bytesToFree(facts)).toBe(0);
    expect(bytesToFree({ ...facts, usedBytes: 980 })).toBe(30);
    expect(bytesToFree({ ...facts, usedBytes: 980, freeBytes: 20 })).toBe(130);
  });
  it('does not take an unknown free space for none, nor a missing limit for one', () => {
    expect(bytesToFree({ ...facts, freeBytes: null })).toBe(0);
    expect(bytesToFree({ ...facts, usedBytes: 1e12, maxBytes: null })).toBe(0);
  });
});

describe('judgeRoom', () => {
  const facts: RoomFacts = {
    usedBytes: 600,
    freeBytes: 10_000,
    minFreeBytes: 0,
    maxBytes: 1000,
    bytesPerDay: 100,
    minimumBytes: 3000,
    warnDaysLeft: 2,
    oldestAt: 94 * dayMs,
    isBelowMinimum: false,
    isStuck: false,
    isDiskFull: false,
  };
  it('is well while there is room for more days than the warning wants', () => {
    expect(judgeRoom(facts)).toEqual({ level: 'ok', limitBytes: 1000, daysLeft: 4, reason: null });
  });
  it('warns before old footage must go, and keeps on while it goes early', () => {
    expect(judgeRoom({ ...facts, usedBytes: 850 })).toMatchObject({
      level: 'warning',
      daysLeft: 1.5,
      reason: 'room-short',
    });
    expect(judgeRoom({ ...facts, usedBytes: 1000, isBelowMinimum: true })).toMatchObject({
      level: 'warning',
      daysLeft: 0,
      reason: 'below-minimum',
    });
  });
  it('does not warn of a full disk that holds the minimum of all classes', () => {
    expect(judgeRoom({ ...facts, usedBytes: 990, minimumBytes: 900 })).toMatchObject({ level: 'ok' });
  });
  it('is critical when held footage fills all, or nothing can be written', () => {
    expect(judgeRoom({ ...facts, isStuck: true })).toMatchObject({
      level: 'critical',
      reason: 'held-fills-all',
    });
    expect(judgeRoom({ ...facts, isStuck: true, oldestAt: null })).toMatchObject({ reason: 'disk-full' });
    expect(judgeRoom({ ...facts, isDiskFull: true })).toMatchObject({
      level: 'critical',
      reason: 'disk-full',
    });
  });
  it('says null where it does not know', () => {
    const unknown = judgeRoom({ ...facts, bytesPerDay: null, maxBytes: null, freeBytes: null });
    expect(unknown).toEqual({ level: 'ok', limitBytes: null, daysLeft: null, reason: null });
  });
});
