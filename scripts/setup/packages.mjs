import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBin, projectRoot, systemNodeEnv } from './paths.mjs';
import { runCommand, SetupError } from './run-command.mjs';
import { hashFiles, readStamp, writeStamp } from './stamp.mjs';

/** @import { Step } from './progress.mjs' */

const modules = join(projectRoot, 'node_modules');
const lockFile = join(projectRoot, 'package-lock.json');
const stampFile = join(modules, '.weian-stamp');

/**
 * The step that makes node_modules equal package-lock.json. Install scripts of packages are not run: the three that
 * matter (node, sqlite3, mediasoup) have steps of their own.
 * @type {Step}
 */
export const npmStep = {
  name: 'npm packages',
  title: '程序依赖包',
  isDone() {
    const stamp = readStamp(stampFile);
    if (stamp === lockHash()) return true;
    // Several work trees may share one install by a link; it is not ours to replace, and old ones carry no stamp.
    return isLinked() && stamp === undefined && existsSync(join(modules, 'fastify/package.json'));
  },
  async run(report) {
    if (isLinked()) {
      throw new SetupError(
        `${modules} is a link to an install of another package-lock.json. Run "npm run setup" where it points to, or remove the link.`,
      );
    }
    const total = Object.keys(JSON.parse(readFileSync(lockFile, 'utf8')).packages).length;
    let fetched = 0;
    await runCommand('npm', ['ci', '--ignore-scripts', '--loglevel=http'], {
      cwd: projectRoot,
      env: systemNodeEnv(process.env),
      onLine(line) {
        if (!line.startsWith('npm http ')) return false;
        fetched += 1;
        report(fetched < total ? `fetching ${fetched}/${total}` : 'unpacking');
        return true;
      },
    });
    writeStamp(stampFile, lockHash());
    return `${total} packages installed`;
  },
};

/**
 * The step that brings Node 24 for this processor, as an npm package: the system's own Node stays as it is.
 * @type {Step}
 */
export const nodeStep = {
  name: 'Node.js 24',
  title: '运行环境',
  isDone: () => nodeVersion()?.startsWith('v24.') === true,
  async run(report) {
    report('fetching');
    await runCommand('npm', ['rebuild', 'node'], { cwd: projectRoot, env: systemNodeEnv(process.env) });
    const version = nodeVersion();
    if (!version?.startsWith('v24.')) {
      throw new SetupError(`${nodeBin} answers ${version ?? 'nothing'} where Node 24 was expected.`);
    }
    return version;
  },
};

function nodeVersion() {
  const result = spawnSync(nodeBin, ['-v'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function isLinked() {
  return lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function lockHash() {
  return hashFiles(projectRoot, [lockFile]);
}
