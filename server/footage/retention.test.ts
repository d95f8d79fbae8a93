import { describe, expect, it } from 'vitest';
import { bytesToFree, decideRetention, judgeRoom, type RoomFacts } from './retention.ts';

const segment = (id: string, startAt: number, channelId = 'c1', sizeBytes = 10) => ({
  id,
  channelId,
  startAt,
  endAt: startAt + 10,
  sizeBytes,
});
const ids = (deletions: readonly { segment: { id: string }; why: string }[]) =>
  deletions.map((entry) => `${entry.segment.id}:${entry.why}`);

describe('decideRetention', () => {
  const candidates = [segment('a', 0), segment('b', 10), segment('c', 20), segment('d', 30)];

  it('deletes nothing while the limits are met and nothing is old', () => {
    expect(decideRetention({ candidates, protections: [], cutoffAt: 0, toFreeBytes: 0 })).toEqual([]);
  });
  it('frees as much as is asked, oldest first', () => {
    const decided = decideRetention({ candidates, protections: [], cutoffAt: 0, toFreeBytes: 15 });
    expect(ids(decided)).toEqual(['a:space', 'b:space']);
  });
  it('deletes what is old although there is room, and counts it as room made', () => {
    expect(ids(decideRetention({ candidates, protections: [], cutoffAt: 20, toFreeBytes: 0 }))).toEqual([
      'a:age',
      'b:age',
    ]);
    expect(ids(decideRetention({ candidates, protections: [], cutoffAt: 10, toFreeBytes: 15 }))).toEqual([
      'a:age',
      'b:space',
    ]);
  });
  it('passes over what is protected, by a single overlapping millisecond, and takes the next', () => {
    const protections = [{ channelId: 'c1', fromAt: 9, toAt: 10 }];
    expect(ids(decideRetention({ candidates, protections, cutoffAt: 15, toFreeBytes: 10 }))).toEqual([
      'b:space',
    ]);
  });
  it('does not protect another channel, nor a neighbour that only touches', () => {
    const protections = [
      { channelId: 'c2', fromAt: 0, toAt: 100 },
      { channelId: 'c1', fromAt: 10, toAt: 20 },
    ];
    expect(ids(decideRetention({ candidates, protections, cutoffAt: 0, toFreeBytes: 25 }))).toEqual([
      'a:space',
      'c:space',
      'd:space',
    ]);
  });
  it('deletes nothing when all is protected, however old and however tight', () => {
    const protections = [{ channelId: 'c1', fromAt: 0, toAt: 100 }];
    expect(decideRetention({ candidates, protections, cutoffAt: 99, toFreeBytes: 99 })).toEqual([]);
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
  const day = 86_400_000;
  const facts: RoomFacts = {
    usedBytes: 600,
    freeBytes: 10_000,
    minFreeBytes: 0,
    maxBytes: 1000,
    bytesPerDay: 100,
    retentionDays: 30,
    warnDaysLeft: 2,
    oldestAt: 94 * day,
    now: 100 * day,
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
    expect(judgeRoom({ ...facts, usedBytes: 1000 })).toMatchObject({
      level: 'warning',
      daysLeft: 0,
      reason: 'removed-early',
    });
  });
  it('does not warn of a full disk that holds all the days wanted', () => {
    expect(judgeRoom({ ...facts, usedBytes: 990, retentionDays: 9 })).toMatchObject({ level: 'ok' });
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
