import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A throw-away PostgreSQL server. */
export interface TestPostgres {
  /** `postgres://weian@127.0.0.1:<port>/postgres`: a superuser without a password, on an empty cluster. */
  url: string;
  /** Stops the server, open connections or not, and removes its files; may be called twice. */
  close(): Promise<void>;
}

const startTimeoutMs = 60_000;
const maxStarts = 3;

/**
 * Makes and starts a PostgreSQL server of its own in a temporary folder, on a free loopback port, in 2 to 5 s. Whatever
 * PostgreSQL the machine runs is not touched. Nothing is synced to disk. It ends with the process that started it, even a killed one.
 * @throws Error naming the Debian package if PostgreSQL is not installed, or with the server's own last words
 */
export async function startPostgres(): Promise<TestPostgres> {
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), 'weian-postgres-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const user = serverUser();
    if (user) chownSync(folder, user.uid, user.gid);
    const data = join(folder, 'data');
    const init = ['-D', data, '-U', 'weian', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'];
    execFileSync(join(programs, 'initdb'), init, { ...user, cwd: folder, stdio: 'pipe' });
    const { server, port } = await startServer(programs, data);
    return {
      url: `postgres://weian@127.0.0.1:${port}/postgres`,
      async close() {
        await stop(server);
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Debian keeps the server's programs off PATH, in a folder for each major version. */
function findPrograms(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root) : [];
  const newest = versions
    .map(Number)
    .toSorted((a, b) => b - a)
    .map((version) => join(root, String(version), 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')));
  if (newest === undefined)
    throw new Error('PostgreSQL is not installed: apt-get install postgresql, or run "npm run setup".');
  return newest;
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return { uid: postgresId('-u'), gid: postgresId('-g') };
}

function postgresId(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}

/** A free port may be taken by another test before the server binds it: then another is tried. */
async function startServer(programs: string, data: string): Promise<{ server: ChildProcess; port: number }> {
  let words = '';
  for (let attempt = 0; attempt < maxStarts; attempt += 1) {
    const port = await findFreePort();
    const server = spawnServer(programs, data, port);
    words = await waitUntilReady(server);
    if (server.exitCode === null && server.signalCode === null) return { server, port };
    if (!/could not (bind|create any TCP)/.test(words)) break;
  }
  throw new Error(`PostgreSQL did not start: ${words.slice(-2000)}`);
}

function spawnServer(programs: string, data: string, port: number): ChildProcess {
  const quick = [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'autovacuum=off',
    'shared_buffers=32MB',
  ];
  const settings = [`listen_addresses=127.0.0.1`, `port=${port}`, 'unix_socket_directories=', ...quick];
  const server = [join(programs, 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const asUser = process.getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
  // pdeathsig: a test run that is killed must not leave a server behind. INT asks for a fast shutdown.
  return spawn('setpriv', [...asUser, '--pdeathsig=INT', '--', ...server], {
    cwd: data,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Resolves when the server takes connections, or has ended; with what it wrote so far. */
async function waitUntilReady(server: ChildProcess): Promise<string> {
  let words = '';
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      server.kill('SIGKILL');
      reject(new Error(`PostgreSQL was not ready after ${startTimeoutMs} ms: ${words.slice(-2000)}`));
    }, startTimeoutMs);
    const settle = () => {
      clearTimeout(timer);
      resolve();
    };
    server.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    server.once('close', settle);
    // Reading on after it is ready keeps the pipe from filling up.
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-10_000);
      if (words.includes('database system is ready to accept connections')) settle();
    });
  });
  await ready;
  return words;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGINT');
  // A fast shutdown takes a tenth of a second; one that hangs is not waited for.
  const timer = setTimeout(() => server.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
