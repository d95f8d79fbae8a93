import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { installGroups } from './debian.mjs';
import { cacheRoot, nodeBin, nodeHeaders, platformTag, projectRoot } from './paths.mjs';
import { runCommand, SetupError } from './run-command.mjs';
import { installFile } from './stamp.mjs';

/** @import { Step } from './progress.mjs' */

const packageRoot = join(projectRoot, 'node_modules/sqlite3');
const addon = join(packageRoot, 'build/Release/node_sqlite3.node');

/**
 * The step that brings sqlite3's compiled add-on: from the cache, else compiled (about 80 s on two cores) and kept there.
 * Upstream's prebuilt is not used: it comes from a host that closed networks cannot reach, and wants a newer C library than Debian 12's.
 * @type {Step}
 */
export const sqliteStep = {
  name: 'SQLite add-on',
  title: '嵌入式数据库',
  isDone: () => existsSync(addon),
  async run(report) {
    const cached = cachedAddon();
    if (existsSync(cached)) {
      installFile(cached, addon);
      if (loadError() === undefined) return 'taken from the cache';
      // A cache carried over from another system: compile it afresh and replace the entry.
    }
    await installGroups(['addon'], report);
    report('compiling (about 80 s)');
    await compile();
    const error = loadError();
    if (error !== undefined) throw new SetupError(`sqlite3 was compiled but does not work:\n${error}`);
    installFile(addon, cached);
    return 'compiled, and kept in the cache';
  },
};

async function compile() {
  const headers = nodeHeaders();
  if (headers === undefined) {
    throw new SetupError(
      'The npm package of Node 24 holds no C headers (include/node/node_api.h), so sqlite3 cannot be compiled.',
    );
  }
  const nodeGyp = join(projectRoot, 'node_modules/node-gyp/bin/node-gyp.js');
  await runCommand(nodeBin, [nodeGyp, 'rebuild', `--nodedir=${headers}`, '--jobs=max'], {
    cwd: packageRoot,
    // binding.gyp calls a bare `node`: it must be the one whose headers are used.
    env: { ...process.env, PATH: `${dirname(nodeBin)}${delimiter}${process.env.PATH ?? ''}` },
  });
}

/** Where this version of the add-on is kept. It speaks Node-API, so any later Node loads it too. */
function cachedAddon() {
  /** @type {{ version: string, binary: { napi_versions: number[] } }} */
  const { version, binary } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const napi = Math.max(...binary.napi_versions);
  return join(
    cacheRoot(process.env),
    'sqlite3',
    `${version}-napi${napi}-${platformTag()}`,
    'node_sqlite3.node',
  );
}

/** What goes wrong when the add-on is loaded and asked for a sum; undefined if nothing does. */
function loadError() {
  const script = `new (require('sqlite3').Database)(':memory:').get('SELECT 6 * 7 AS n', (error, row) => {
    if (error || row.n !== 42) throw error ?? new Error('6 * 7 = ' + row.n);
  });`;
  const result = spawnSync(nodeBin, ['-e', script], { cwd: projectRoot, encoding: 'utf8' });
  return result.status === 0 ? undefined : result.stderr;
}
