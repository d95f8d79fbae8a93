import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { lookup } from 'node:dns/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { installGroups } from './debian.mjs';
import { cacheRoot, nodeBin, platformTag, projectRoot } from './paths.mjs';
import { runCommand, SetupError } from './run-command.mjs';
import { hashFiles, installFile, listFiles } from './stamp.mjs';

/** @import { Report, Step } from './progress.mjs' */

const packageRoot = join(projectRoot, 'node_modules/mediasoup');
const recipe = join(projectRoot, 'scripts/worker');

// A closed network answers at once or not at all; a build of minutes follows, so this much waiting is worth it.
const lookupMs = 3000;
const prebuiltMs = 10_000;
// "missing MEDIASOUP_VERSION": the worker's own answer to being started by hand (worker/src/main.cpp), so it runs here.
const bareStartExitCode = 41;

/**
 * The step that brings mediasoup's media worker: upstream's prebuilt where it can be fetched, else compiled from the npm
 * package's source and kept in the cache. A person may name another binary by MEDIASOUP_WORKER_BIN; then nothing is done.
 * @type {Step}
 */
export const workerStep = {
  name: 'mediasoup worker',
  title: '会议媒体进程',
  isDone: () => process.env.MEDIASOUP_WORKER_BIN !== undefined || startsHere(workerBin()),
  async run(report) {
    const target = workerBin();
    rmSync(dirname(target), { recursive: true, force: true });
    if (await fetchPrebuilt(target, report)) return 'took the prebuilt binary of the same version';
    await installGroups(['worker'], report);
    await build(target, report);
    return 'no prebuilt could be fetched: built from source, and kept in the cache';
  },
};

/**
 * Where the worker is: MEDIASOUP_WORKER_BIN, else the cache entry of mediasoup's version, this recipe and this kind of
 * machine. Needs the npm packages.
 */
export function workerBin() {
  if (process.env.MEDIASOUP_WORKER_BIN) return process.env.MEDIASOUP_WORKER_BIN;
  const key = `${mediasoupVersion()}-${recipeHash()}-${platformTag()}`;
  return join(cacheRoot(process.env), 'mediasoup-worker', key, 'mediasoup-worker');
}

function mediasoupVersion() {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
}

function recipeHash() {
  const files = listFiles(recipe, (path) => !/\.(md|ts)$/.test(path));
  return hashFiles(recipe, files).slice(0, 12);
}

/** @param {string} bin */
function startsHere(bin) {
  return existsSync(bin) && spawnSync(bin, [], { env: {}, timeout: 5000 }).status === bareStartExitCode;
}

/**
 * Lets mediasoup's own install script fetch its prebuilt; false where it cannot.
 * @param {string} target
 * @param {Report} report
 */
async function fetchPrebuilt(target, report) {
  const fetched = join(packageRoot, 'worker/out/Release/mediasoup-worker');
  report('looking for a prebuilt binary');
  if (!existsSync(fetched)) {
    const base = process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL ?? 'https://github.com';
    if (!(await canResolve(new URL(base).hostname))) return false;
    try {
      await runCommand(nodeBin, ['npm-scripts.mjs', 'postinstall'], {
        cwd: packageRoot,
        // After a failed download the script would start a build that needs more of the internet: with PYTHON=false
        // it ends there instead.
        env: { ...process.env, PYTHON: 'false' },
        timeoutMs: prebuiltMs,
      });
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      // Cut off half-way it may leave a broken file, which must not be taken for a good one next time.
      rmSync(fetched, { force: true });
      return false;
    }
  }
  if (!startsHere(fetched)) return false;
  installFile(fetched, target);
  return true;
}

/** @param {string} hostname */
async function canResolve(hostname) {
  /** @type {Promise<boolean>} */
  const answer = lookup(hostname).then(
    () => true,
    () => false,
  );
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), lookupMs);
  });
  const isKnown = await Promise.race([answer, late]);
  clearTimeout(timer);
  return isKnown === true;
}

/**
 * @param {string} target
 * @param {Report} report
 */
async function build(target, report) {
  const scratchRoot = join(cacheRoot(process.env), 'tmp');
  mkdirSync(scratchRoot, { recursive: true });
  const scratch = mkdtempSync(join(scratchRoot, 'mediasoup-worker-'));
  // Also when the set-up is told to stop half-way: run.mjs turns signals into an exit.
  const clean = () => rmSync(scratch, { recursive: true, force: true });
  process.once('exit', clean);
  try {
    report('preparing the source');
    cpSync(recipe, scratch, { recursive: true });
    cpSync(join(packageRoot, 'worker'), join(scratch, 'worker'), { recursive: true });
    patchSource(join(scratch, 'worker'));
    await runCommand('meson', ['setup', 'build'], { cwd: scratch });
    const jobs = String(availableParallelism());
    await runCommand('ninja', ['-C', 'build', '-j', jobs], {
      cwd: scratch,
      onLine(line) {
        const progress = /^\[(\d+\/\d+)\]/.exec(line);
        if (progress) report(`building ${progress[1]}`);
        return progress !== null;
      },
    });
    const built = join(scratch, 'build/mediasoup-worker');
    if (!startsHere(built))
      throw new SetupError(`The worker was built (${statSync(built).size} bytes) but does not start.`);
    installFile(built, target);
  } finally {
    process.off('exit', clean);
    clean();
  }
}

/**
 * Changes the one line that must change (scripts/worker/README.md says why) in a copy of the worker's source.
 * @param {string} sourceRoot
 * @throws SetupError if the line is not there exactly once: another version of mediasoup, whose code must be read first
 */
export function patchSource(sourceRoot) {
  /** @type {{ file: string, from: string, to: string }} */
  const patch = JSON.parse(readFileSync(join(recipe, 'patch.json'), 'utf8'));
  const path = join(sourceRoot, patch.file);
  const source = readFileSync(path, 'utf8');
  const count = source.split(patch.from).length - 1;
  if (count !== 1) {
    throw new SetupError(
      `mediasoup ${mediasoupVersion()}: "${patch.from}" is in ${patch.file} ${count} times where once was expected. ` +
        'Read scripts/worker/README.md, see whether the new source still needs the change, and adapt scripts/worker/patch.json.',
    );
  }
  writeFileSync(path, source.replace(patch.from, patch.to));
}
