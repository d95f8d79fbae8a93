import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Knex } from 'knex';
import { createAuditTrail } from '#api/auth/audit-trail.ts';
import { createCopyStore } from '#api/backups/copy-store.ts';
import { ConfigError, loadConfig, type Config } from '#api/config.ts';
import { openDatabase } from '#api/db/database.ts';
import { listApplied, migrate } from '#api/db/migrate.ts';
import { checkIndex, repairFiles, type IndexCheck, type IndexProblem } from '#api/footage/index-check.ts';
import { listFinished, namesIn } from '#api/footage/index-files.ts';
import { createRunStore } from '#api/footage/run-store.ts';
import { createSegmentStore } from '#api/footage/segment-store.ts';
import { repairIndex } from '#api/footage/start-up.ts';
import { createLogger } from '#api/log.ts';

const words: Readonly<Record<IndexProblem, string>> = {
  missing: 'in the index, but the file is gone / 索引有记录，文件缺失',
  extra: 'a good file that the index does not know / 文件完好，索引无记录',
  short: 'shorter than the index says / 文件比索引记录短',
  altered: 'not what it was / 文件内容已改变',
  empty: 'without content / 空文件',
  torn: 'cannot be played / 文件损坏，无法播放',
  foreign: 'no recording of ours / 不是本系统的录像',
  'left-over': 'left by a restore that was cut off / 中断的恢复留下的临时文件',
};
const shownOfEach = 20;

/**
 * `npm run footage:check`: compares the recording index with the files. `--hash` also compares the hash of every file that was copied to a
 * backup; `--repair` puts the index right from the files; `--rebuild` makes it anew, also when the database is lost. The last two want the
 * server stopped. Exit code 0: in order, 1: something is not, 2: could not be checked.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      hash: { type: 'boolean', default: false },
      repair: { type: 'boolean', default: false },
      rebuild: { type: 'boolean', default: false },
    },
  });
  const config = loadConfig(process.env);
  const isWriting = values.repair || values.rebuild;
  const file = config.databaseUrl.startsWith('sqlite:')
    ? config.databaseUrl.slice('sqlite:'.length)
    : undefined;
  if (file !== undefined && !existsSync(file) && !values.rebuild) {
    say(
      process.stderr,
      `There is no database at ${file}. Set DATA_DIR or DATABASE_URL as for the server, or use --rebuild.`,
    );
    return 2;
  }
  if (isWriting && (await isListening(config.port))) {
    say(process.stderr, `Something listens on port ${config.port}: stop the server first. / 请先停止服务。`);
    return 2;
  }
  const db = openDatabase(config.databaseUrl);
  try {
    if (isWriting) await migrate(db);
    else if ((await listApplied(db)).length === 0) {
      say(process.stderr, 'This database has no recording index: the server has never been started on it.');
      return 2;
    }
    return await run(db, config, values);
  } finally {
    await db.destroy();
  }
}

async function run(
  db: Knex,
  { recordingsDir }: Config,
  asked: { hash: boolean; repair: boolean; rebuild: boolean },
): Promise<number> {
  const segments = createSegmentStore(db);
  const audit = createAuditTrail({ db, now: Date.now });
  const copies = createCopyStore(db);
  const options = { recordingsDir, segments, knownSum: asked.hash ? copies.findSum : undefined };
  const log = createLogger({ logLevel: 'warn' }, { write: (line) => void process.stderr.write(line) });
  const repair = () =>
    repairIndex({ recordingsDir, segments, runs: createRunStore(db), audit, now: Date.now, log });

  let check: IndexCheck;
  if (asked.rebuild) {
    const added = await addLostChannels(db, recordingsDir);
    if (added > 0)
      say(
        process.stdout,
        `Channels made for folders that no camera owns: ${added}. / 为无主录像目录新建通道 ${added} 个。`,
      );
    await db('segments').delete();
    const { indexed, recovered } = await repair();
    say(process.stdout, `Index rebuilt: ${indexed} files, ${recovered} of them finished now. / 索引已重建。`);
    check = await checkIndex(options);
  } else {
    check = await checkIndex(options);
    if (asked.repair && check.findings.length > 0) {
      show(check);
      const repaired = await repairFiles(check.findings, { recordingsDir, segments, now: Date.now() });
      const { indexed, missing, recovered } = await repair();
      say(
        process.stdout,
        `Repaired: ${repaired + indexed + missing + recovered} entries. What is left: / 已修复，剩余：`,
      );
      check = await checkIndex(options);
    }
  }
  show(check);
  const counts = Object.fromEntries(
    [...Map.groupBy(check.findings, (finding) => finding.problem)].map(([problem, some]) => [
      problem,
      some.length,
    ]),
  );
  await audit.record({
    action: 'footage.checked',
    actor: { system: `npm run footage:check (${userInfo().username})` },
    outcome: check.findings.length === 0 ? 'ok' : 'failed',
    detail: { ...asked, files: check.files, rows: check.rows, hashed: check.hashed, ...counts },
  });
  return check.findings.length === 0 ? 0 : 1;
}

/** Rows for folders with recordings whose camera the database does not know, so that the footage can be found. @returns how many */
async function addLostChannels(db: Knex, recordingsDir: string): Promise<number> {
  const known = new Set(await createSegmentStore(db).listChannelIds());
  let added = 0;
  for (const id of await namesIn(recordingsDir)) {
    if (known.has(id) || !/^[a-zA-Z0-9-]{1,64}$/.test(id)) continue;
    if ((await listFinished(join(recordingsDir, id), recordingsDir)).size === 0) continue;
    const at = { created_at: Date.now(), updated_at: Date.now() };
    const name = `找回的录像 ${id.slice(0, 8)}`;
    const device = { id: `lost-${id}`.slice(0, 64), identity: `lost:${id}`, kind: 'camera', name };
    await db('devices').insert({
      ...device,
      host: 'unknown',
      xaddr: 'http://unknown/',
      is_enabled: 0,
      ...at,
    });
    await db('channels').insert({ id, device_id: device.id, source_token: id, name, is_recorded: 0, ...at });
    added += 1;
  }
  return added;
}

function show({ files, rows, hashed, findings }: IndexCheck): void {
  say(process.stdout, `Files: ${files}, in the index: ${rows}, compared by hash: ${hashed}.`);
  if (findings.length === 0) say(process.stdout, 'The index and the files agree. / 索引与文件一致。');
  for (const [problem, some] of Map.groupBy(findings, (finding) => finding.problem)) {
    say(process.stdout, `${problem}: ${some.length} (${words[problem]})`);
    for (const finding of some.slice(0, shownOfEach)) say(process.stdout, `  ${finding.file}`);
    if (some.length > shownOfEach) say(process.stdout, `  … ${some.length - shownOfEach} more`);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

function say(stream: NodeJS.WriteStream, line: string): void {
  stream.write(`${line}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    say(process.stderr, error instanceof ConfigError ? text : `The footage could not be checked: ${text}`);
    process.exitCode = 2;
  },
);
