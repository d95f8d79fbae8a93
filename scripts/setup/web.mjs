import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBin, projectRoot } from './paths.mjs';
import { runCommand, SetupError } from './run-command.mjs';
import { hashFiles, listFiles, readStamp, writeStamp } from './stamp.mjs';

/** @import { Step } from './progress.mjs' */

const page = join(projectRoot, 'web/index.html');
// Inside the output: vite empties that folder first, so that a build cut off half-way is not taken for a finished one.
const stampFile = join(projectRoot, 'web/dist/.weian-stamp');

/**
 * The step that builds the console when its sources are newer than web/dist.
 * @type {Step}
 */
export const webStep = {
  name: 'web console',
  title: '网页控制台',
  isDone: () => (existsSync(page) ? readStamp(stampFile) === sourceHash() : !isPageTracked()),
  async run(report) {
    if (!existsSync(page))
      throw new SetupError('web/index.html is missing from this clone: git checkout -- web');
    report('building');
    const hash = sourceHash();
    const vite = join(projectRoot, 'node_modules/vite/bin/vite.js');
    await runCommand(nodeBin, [vite, 'build', '--config', 'scripts/config/vite.ts'], {
      cwd: projectRoot,
      env: { ...process.env, NODE_ENV: 'production' },
    });
    writeStamp(stampFile, hash);
    return 'built';
  },
};

function isPageTracked() {
  return spawnSync('git', ['ls-files', '--error-unmatch', page], { cwd: projectRoot }).status === 0;
}

/** Over what the build reads: the console, the schemas and permissions it shares with the server, its settings and packages. */
function sourceHash() {
  const web = listFiles(
    join(projectRoot, 'web'),
    (path) => !/^(dist|paraglide)$/.test(path) && !isInlangNote(path),
  );
  const shared = listFiles(join(projectRoot, 'server')).filter((path) =>
    /\/(schema|permissions)\.ts$/.test(path),
  );
  const configs = ['scripts/config/vite.ts', 'scripts/config/svelte.config.js', 'package-lock.json'];
  const settings = configs.map((path) => join(projectRoot, path));
  return hashFiles(projectRoot, [...web, ...shared, ...settings.filter((path) => existsSync(path))]);
}

/**
 * The text compiler keeps notes of its own beside its settings; a build that counted them would never be up to date.
 * @param {string} path
 */
function isInlangNote(path) {
  return path.includes('project.inlang/') && !path.endsWith('/settings.json');
}
