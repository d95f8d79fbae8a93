import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Knex } from 'knex';
import { dialectOf, openDatabase } from '#api/db/database.ts';
import { migrate } from '#api/db/migrate.ts';
import { createEventBus } from '#api/events/bus.ts';
import { createHoldStore } from '#api/footage/hold-store.ts';
import { createRetentionRunner } from '#api/footage/retention-runner.ts';
import { createRetentionStore } from '#api/footage/retention-store.ts';
import { createRunStore } from '#api/footage/run-store.ts';
import { createSegmentStore } from '#api/footage/segment-store.ts';
import { createFootageService } from '#api/footage/service.ts';
import { daysBetween } from '#api/footage/site-days.ts';
import { createLogger } from '#api/log.ts';
import { defaultSettings } from '#api/settings/service.ts';
import { addChannel, makeChannelSource } from '../factories/footage.ts';
import { startPostgres } from '../factories/postgres.ts';

/**
 * The recording index of 64 cameras over 365 days. The measured camera and the day that retention deletes have files of 60 s, as
 * recorded; the rest of the year has files of 10 min for the other cameras, 4 million rows in all, because 33.6 million take too long to
 * make. Rows lie in the order in which they would have been written.
 */
const channels = 64;
const days = 365;
const dayMs = 86_400_000;
const endAt = Date.parse('2026-11-24T16:00:00Z'); // midnight in Shanghai
const startAt = endAt - days * dayMs;
const log = createLogger({ logLevel: 'silent' });
const channelId = (n: number) => `c${String(n).padStart(2, '0')}`;
const targets = { timelineP95Ms: 50, calendarMs: 100, retentionMs: 5_000 };

async function fill(db: Knex): Promise<number> {
  for (let n = 0; n < channels; n += 1) await addChannel(db, { id: channelId(n) });
  for (let n = 0; n < channels; n += 1)
    await createRunStore(db).insert({
      id: `run${channelId(n)}`,
      channelId: channelId(n),
      startedAt: startAt,
    });
  const isPostgres = dialectOf(db) === 'postgres';
  // As newId makes them: the time first.
  const id = isPostgres
    ? "lpad(to_hex(t.at), 12, '0') || substr(md5(random()::text), 1, 20)"
    : "printf('%012x', t.at) || lower(hex(randomblob(10)))";
  const digits = isPostgres ? "lpad(c.n::text, 2, '0')" : "printf('%02d', c.n)";
  const put = (fromAt: number, toAt: number, stepMs: number, first: number, last: number) =>
    db.raw(
      `INSERT INTO segments (id, channel_id, run_id, file, start_at, end_at, size_bytes, video_codec, has_audio)
       WITH RECURSIVE t(at) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT at + ? FROM t WHERE at + ? < ?),
         c(n) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT n + 1 FROM c WHERE n < ?)
       SELECT ${id}, 'c' || ${digits}, 'runc' || ${digits},
         'c' || ${digits} || '/' || (t.at / 86400000) || '/' || t.at || '.mp4', t.at, t.at + ?, 15000000, 'h264', 0
       FROM t CROSS JOIN c ORDER BY t.at, c.n`,
      [fromAt, stepMs, stepMs, toAt, first, last, stepMs],
    );
  const dropped = await dropIndexes(db);
  await put(startAt, startAt + dayMs, 60_000, 0, channels - 1);
  for (let fromAt = startAt + dayMs; fromAt < endAt; fromAt += 28 * dayMs) {
    const toAt = Math.min(endAt, fromAt + 28 * dayMs);
    await put(fromAt, toAt, 60_000, 0, 0);
    await put(fromAt, toAt, 600_000, 1, channels - 1);
  }
  for (const sql of dropped) await db.raw(sql);
  await db.raw(isPostgres ? 'ANALYZE' : 'PRAGMA cache_size = -65536'); // the cache it has in use
  const [row]: { n: number | string }[] = await db('segments').count('* as n');
  return Number(row?.n);
}

/** Indexes are built faster once the rows are there. @returns what makes them again */
async function dropIndexes(db: Knex): Promise<string[]> {
  if (dialectOf(db) === 'sqlite') await db.raw('PRAGMA cache_size = -400000');
  const rows: { name: string; sql: string }[] =
    dialectOf(db) === 'sqlite'
      ? await db('sqlite_master')
          .where({ tbl_name: 'segments', type: 'index' })
          .whereNotNull('sql')
          .select('name', 'sql')
      : await db('pg_indexes')
          .where({ tablename: 'segments' })
          .whereNotIn('indexname', db('pg_constraint').select('conname'))
          .select('indexname as name', 'indexdef as sql');
  for (const { name } of rows) await db.raw('DROP INDEX ??', [name]);
  return rows.map((row) => row.sql);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round((performance.now() - begun) * 10) / 10;
}

async function measure(url: string, dir: string) {
  const db = openDatabase(url);
  try {
    await migrate(db);
    const begun = performance.now();
    const rows = await fill(db);
    const fillSeconds = Math.round((performance.now() - begun) / 1000);
    const segments = createSegmentStore(db);
    const holds = createHoldStore(db);
    const bus = createEventBus({ now: () => endAt, log });
    const audit = { record: async () => undefined } as never;
    const service = createFootageService({
      db,
      segments,
      runs: createRunStore(db),
      holds,
      open: { spansOf: async () => [], partOf: async () => undefined } as never,
      devices: {
        refresh: async () => undefined,
        offer: async () => ({ spans: [], state: 'none', askedAt: null, clockSkewMs: null }),
      } as never,
      listCopied: async () => [],
      channels: makeChannelSource(new Map()),
      audit,
      siteTimeZone: 'Asia/Shanghai',
      now: () => endAt,
    });
    const times: number[] = [];
    for (let n = 0; n < 100; n += 1) {
      const fromAt = startAt + ((n * 37) % days) * dayMs;
      times.push(await timed(() => service.timeline([channelId(0)], { fromAt, toAt: fromAt + dayMs })));
    }
    const year = daysBetween('2025-11-25', '2026-11-24', 'Asia/Shanghai');
    const calendars: number[] = [];
    for (let n = 0; n < 10; n += 1)
      calendars.push(await timed(() => segments.findCovered(channelId(n), year)));
    const totalsMs = await timed(() => segments.totals());

    for (const file of await segments.listOverlapping(channelId(0), {
      fromAt: startAt,
      toAt: startAt + dayMs,
    }))
      for (let n = 0; n < channels; n += 1) {
        const path = join(dir, file.file.replaceAll(channelId(0), channelId(n)));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, '');
      }
    await db('retention_classes').update({ min_days: 30, max_days: days - 1 });
    const retention = createRetentionRunner({
      db,
      recordingsDir: dir,
      segments,
      holds,
      classes: createRetentionStore(db),
      exports: { listProtections: async () => [] },
      settings: { current: () => defaultSettings([]) } as never,
      openBytes: async () => 0,
      isDiskFull: () => false,
      bus,
      audit,
      now: () => endAt,
      log,
    });
    let deleted = 0;
    const retentionMs = await timed(async () => {
      deleted = await retention.look();
    });
    const idleLookMs = await timed(() => retention.look());
    await retention.close();
    times.sort((a, b) => a - b);
    const timelineP95Ms = times[94] ?? NaN;
    const calendarMs = Math.max(...calendars);
    return {
      dialect: dialectOf(db),
      rows,
      fillSeconds,
      timelineP50Ms: times[49],
      timelineP95Ms,
      calendarMs,
      deleted,
      retentionMs,
      idleLookMs,
      totalsMs,
      isMet:
        timelineP95Ms <= targets.timelineP95Ms &&
        calendarMs <= targets.calendarMs &&
        retentionMs <= targets.retentionMs,
    };
  } finally {
    await db.destroy();
  }
}

/** Timeline of a day, calendar of a year and retention of a day on SQLite and on PostgreSQL, against fixed limits. */
export async function measureIndex() {
  const dir = mkdtempSync(join(tmpdir(), 'weian-index-'));
  const postgres = await startPostgres();
  try {
    return {
      targets,
      sqlite: await measure(`sqlite:${join(dir, 'index.db')}`, join(dir, 'a')),
      postgres: await measure(postgres.url, join(dir, 'b')),
    };
  } finally {
    await postgres.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await measureIndex())}\n`);
