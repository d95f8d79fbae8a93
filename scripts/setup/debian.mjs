import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { runCommand, SetupError } from './run-command.mjs';

/** @import { Report, Step } from './progress.mjs' */

/** Debian's packages, grouped by what they are for; a command asks only for the groups that it uses. */
export const packageGroups = {
  /** chromium prints cover sheets, ffmpeg does the media work, the font draws Chinese into pictures, openssl makes the HTTPS certificate. */
  runtime: ['chromium', 'ffmpeg', 'fonts-wqy-zenhei', 'openssl', 'util-linux'],
  /** Compiles sqlite3's add-on. */
  addon: ['g++', 'make', 'python3'],
  /** Compiles mediasoup's worker against Debian's libraries (scripts/worker/README.md). */
  worker: [
    'g++',
    'meson',
    'ninja-build',
    'pkg-config',
    'flatbuffers-compiler',
    'libssl-dev',
    'libsrtp2-dev',
    'libuv1-dev',
    'libflatbuffers-dev',
    'libabsl-dev',
  ],
  /** The simulated cameras and recorder: GStreamer's RTSP server, driven from Python. */
  simulators: [
    'gstreamer1.0-plugins-base',
    'gstreamer1.0-plugins-good',
    'gstreamer1.0-plugins-bad',
    'gstreamer1.0-plugins-ugly',
    'gstreamer1.0-rtsp',
    'gstreamer1.0-x',
    'libgstrtspserver-1.0-0',
    'gir1.2-gst-rtsp-server-1.0',
    'gir1.2-gstreamer-1.0',
    'gir1.2-gst-plugins-base-1.0',
    'python3-gi',
    'python3-gi-cairo',
    'python3-numpy',
  ],
  /** Prints cover sheets and reports as PDF, and drives the console in the browser tests. */
  browser: ['chromium'],
  /** What tests call themselves: small disks, processes, archives. */
  tests: ['mount', 'procps', 'unzip', 'zip'],
  /** A real S3 server for the tests of backups: Swift with its S3 interface (test/factories/s3.ts). */
  s3: ['swift-proxy', 'swift-account', 'swift-container', 'swift-object'],
  /** The store tests run on both databases (test/factories/postgres.ts starts a throw-away server). */
  postgres: ['postgresql'],
};

/** @typedef {keyof typeof packageGroups} PackageGroup */

/**
 * The packages of `names` that dpkg does not list as installed, in the order given.
 * @param {string[]} names
 * @param {string} listing lines of name, tab, status abbreviation (`ii ` installed, `hi ` installed and held)
 */
export function parseMissing(names, listing) {
  const installed = new Set();
  for (const line of listing.split('\n')) {
    const [name, status] = line.split('\t');
    if (status && /^[ih]i/.test(status)) installed.add(name);
  }
  return names.filter((name) => !installed.has(name));
}

/**
 * How far apt-get is, from one line that it wrote; undefined for a line that tells nothing about it.
 * @param {string} line
 * @param {{ total: number, unpacked: number, configured: number }} counts kept between the lines of one run
 */
export function aptProgress(line, counts) {
  const planned = /^\d+ upgraded, (\d+) newly installed/.exec(line);
  if (planned) counts.total = Number(planned[1]);
  const fetched = /^Get:(\d+) /.exec(line);
  if (fetched) return `downloading ${fetched[1]}/${counts.total || '?'}`;
  if (line.startsWith('Unpacking ')) return `unpacking ${(counts.unpacked += 1)}/${counts.total}`;
  if (line.startsWith('Setting up ')) return `configuring ${(counts.configured += 1)}/${counts.total}`;
  if (/Could not get lock|Waiting for cache lock/.test(line)) return 'waiting for another apt to finish';
  return undefined;
}

/**
 * The step that installs what `groups` need.
 * @param {PackageGroup[]} groups
 * @returns {Step}
 */
export function debianStep(groups) {
  return {
    name: 'Debian packages',
    title: '系统软件包',
    isDone: () => findMissing(groups).length === 0,
    run: (report) => installGroups(groups, report),
  };
}

/**
 * Installs what is missing of `groups`; does nothing when nothing is.
 * @param {PackageGroup[]} groups
 * @param {Report} report
 * @throws SetupError naming the packages and the command to type, where this user may not install
 */
export async function installGroups(groups, report) {
  const missing = findMissing(groups);
  if (missing.length === 0) return 'nothing missing';
  const prefix = rootPrefix();
  const args = ['install', '-y', '--no-install-recommends', ...missing];
  if (prefix === undefined) {
    throw new SetupError(
      `These Debian packages are missing, and installing them needs root:\n  ${missing.join(' ')}\n` +
        `Type this, then run the same command again:\n  sudo apt-get update && sudo apt-get ${args.join(' ')}`,
    );
  }
  const apt = aptRunner(prefix, report);
  let isListFresh = false;
  if (!hasPackageLists()) {
    await apt(['update']);
    isListFresh = true;
  }
  try {
    await apt(args);
  } catch (error) {
    // Old lists name versions that the mirror has replaced since ("404", "Unable to locate"): refresh once and try again.
    if (isListFresh || !(error instanceof SetupError)) throw error;
    await apt(['update']);
    await apt(args);
  }
  const left = findMissing(groups);
  if (left.length > 0)
    throw new SetupError(`apt-get reported success, but these are still missing: ${left.join(' ')}`);
  return `installed ${missing.join(' ')}`;
}

/** @param {PackageGroup[]} groups */
function findMissing(groups) {
  const names = [...new Set(groups.flatMap((group) => packageGroups[group]))];
  if (names.length === 0) return [];
  // Exit code 1 only says that some are unknown; those are simply not in the listing.
  const listing = spawnSync('dpkg-query', ['-W', '-f', '${Package}\t${db:Status-Abbrev}\n', ...names], {
    encoding: 'utf8',
  });
  if (listing.error) {
    throw new SetupError(
      `This system has no dpkg (${listing.error.message}); Weian is set up on Debian 12.\nIt needs: ${names.join(' ')}`,
    );
  }
  return parseMissing(names, listing.stdout);
}

/** The words to put before apt-get: none for root, `sudo -n` where that needs no password, undefined if neither works. */
function rootPrefix() {
  if (spawnSync('apt-get', ['--version']).error) return undefined;
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined;
}

/**
 * @param {string[]} prefix
 * @param {Report} report
 */
function aptRunner(prefix, report) {
  const words = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'LC_ALL=C',
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=600',
  ];
  /** @param {string[]} args */
  return async (args) => {
    const counts = { total: 0, unpacked: 0, configured: 0 };
    if (args[0] === 'update') report('refreshing the package lists');
    const [command = 'env', ...rest] = [...words, ...args];
    await runCommand(command, rest, {
      onLine(line) {
        const progress = aptProgress(line, counts);
        if (progress) report(progress);
        return progress !== undefined;
      },
    });
  };
}

function hasPackageLists() {
  const folder = '/var/lib/apt/lists';
  return existsSync(folder) && readdirSync(folder).some((name) => name.includes('_Packages'));
}
