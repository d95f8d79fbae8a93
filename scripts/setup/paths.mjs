import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

/** Absolute path of the clone that this script belongs to. */
export const projectRoot = resolve(import.meta.dirname, '../..');

/** The project's own Node 24, installed as an npm package; there only once the packages are. */
export const nodeBin = join(projectRoot, 'node_modules/.bin/node');

/**
 * Where compiled things are kept so that a second clone need not compile them again.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheRoot(env) {
  if (env.WEIAN_CACHE) return resolve(env.WEIAN_CACHE);
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'weian');
  return join(homedir(), '.cache', 'weian');
}

/** What a compiled file depends on beside its source: `linux-x64-glibc2.36`. */
export function platformTag() {
  const tag = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return tag;
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  const glibc = report.header.glibcVersionRuntime;
  return glibc ? `${tag}-glibc${glibc}` : `${tag}-musl`;
}

/**
 * `env` without the folders that npm puts first on PATH, so that npm and node-gyp run on the system's Node: the
 * project's own is being replaced while they work.
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function systemNodeEnv(env) {
  const folders = (env.PATH ?? '').split(delimiter);
  const kept = folders.filter((folder) => !/node_modules[/\\]\.bin\/?$|node-gyp-bin\/?$/.test(folder));
  return { ...env, PATH: kept.join(delimiter) };
}

/** The C headers that came with the project's Node, for compiling add-ons; undefined if the package has none. */
export function nodeHeaders() {
  if (!existsSync(nodeBin)) return undefined;
  // node_modules/node/bin/node is a hard link made from the package of this processor, which also holds the headers.
  const packageRoot = resolve(realpathSync(nodeBin), '../..');
  const name = `node-${process.platform}-${process.arch}`;
  const folders = [join(packageRoot, 'node_modules', name), join(projectRoot, 'node_modules', name)];
  return folders.find((folder) => existsSync(join(folder, 'include/node/node_api.h')));
}
