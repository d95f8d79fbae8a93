import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '#api/auth/permissions.ts';
import type { Channel, Device, Finding } from '#api/devices/schema.ts';
import { logIn, type ApiClient } from '../../scripts/demo/api-client.ts';
import { furnish } from '../../scripts/demo/furnish.ts';
import { loadOrMakeLogins, type DemoLogin } from '../../scripts/demo/logins.ts';
import { startHospital, type Hospital } from '../simulators/hospital.ts';

const serverEntry = new URL('../../server/main.ts', import.meta.url).pathname;

/** The product at work: the simulated hospital and the real server in its own process, over HTTPS. */
export interface Product {
  readonly hospital: Hospital;
  readonly origin: string;
  readonly dataDir: string;
  /** File the server's output goes to. */
  readonly logFile: string;
  /** The administrator's API access; a new one after {@link Product.start}. */
  readonly admin: ApiClient;
  readonly serverPid: number;
  login(role: Role): DemoLogin;
  listChannels(): Promise<readonly Channel[]>;
  /** Does by API what the discovery page does: finds, asks and registers every device that has started. Answers the channels. */
  registerAll(
    credentialSets?: readonly { username: string; password: string }[],
  ): Promise<readonly Channel[]>;
  /** Ends the server at once, as a power cut would. */
  killServer(): Promise<void>;
  /** Starts the server again on the same data. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface ProductOptions {
  /** Ids of the simulated devices to start; all when left out. */
  readonly devices?: readonly string[];
  /** Three numbers of a loopback network of its own, so that test files do not meet. */
  readonly subnet: string;
  /** false leaves the first-run page to the test. */
  readonly isFurnished?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** How often cameras are looked at; each look costs about a tenth of a CPU second. Default 3 s. */
  readonly probeIntervalMs?: number;
}

/** Starts both, seeds site and people by API, and looks at cameras every few seconds. */
export async function startProductProcess(options: ProductOptions): Promise<Product> {
  const { subnet } = options;
  const dataDir = mkdtempSync(join(tmpdir(), 'weian-product-'));
  const hospital = await startHospital({
    subnet,
    ...(options.devices ? { devices: options.devices } : {}),
    main: { width: 640, height: 360 },
  });
  const logins = loadOrMakeLogins(dataDir, undefined);
  const login = (role: Role) => {
    const found = logins.find((entry) => entry.role === role);
    if (!found) throw new Error(`no login for ${role}`);
    return found;
  };
  const port = await freePort();
  const origin = `https://127.0.0.1:${port}`;
  const logFile = join(dataDir, 'server.log');
  let server: ChildProcess;
  let admin: ApiClient;

  async function start(): Promise<void> {
    server = spawn(process.execPath, [serverEntry], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        HOST: '127.0.0.1',
        PORT: String(port),
        DATA_DIR: dataDir,
        TLS: 'on',
        SEGMENT_SECONDS: '10',
        ADMIN_PASSWORD: login('admin').password,
        CAMERA_NETWORKS: `${subnet}.0/24`,
        ...options.env,
      },
    });
    const log = createWriteStream(logFile, { flags: 'a' });
    server.stdout?.pipe(log, { end: false });
    server.stderr?.pipe(log, { end: false });
    const certFile = join(dataDir, 'keys', 'tls.crt');
    admin = await until(async () => {
      if (server.exitCode !== null) throw new Error(`the server ended: ${readFileSync(logFile, 'utf8')}`);
      if (!existsSync(certFile)) return undefined;
      const ca = readFileSync(certFile, 'utf8');
      return logIn(origin, ca, 'admin', login('admin').password).catch(() => undefined);
    }, 60_000);
  }

  await start();
  if (options.isFurnished !== false) await furnish(admin!, hospital, logins, [`${subnet}.0/24`]);
  await admin!.send('PATCH', '/api/settings', {
    health: {
      probeIntervalMs: options.probeIntervalMs ?? 3_000,
      retryIntervalMs: 1_000,
      failuresToFault: 3,
      successesToRecover: 2,
    },
  });
  return {
    hospital,
    origin,
    dataDir,
    logFile,
    get admin() {
      return admin;
    },
    get serverPid() {
      return server.pid ?? 0;
    },
    login,
    listChannels: () => listChannels(admin),
    registerAll: (sets) => registerAll(admin, hospital, sets),
    async killServer() {
      const ended = new Promise((done) => server.once('exit', done));
      server.kill('SIGKILL');
      await ended;
      await admin.close();
    },
    start,
    async close() {
      await admin.close();
      await stop(server);
      await hospital.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function registerAll(
  admin: ApiClient,
  hospital: Hospital,
  credentialSets: readonly { username: string; password: string }[] = [
    { username: hospital.credentials.user, password: hospital.credentials.password },
  ],
): Promise<readonly Channel[]> {
  const list = async () =>
    (await admin.send<{ findings: Finding[] }>('GET', '/api/discovery/findings')).findings;
  /** Findings of our devices, once there is one for each and all of them have the wanted outcome. */
  const listOnce = (outcome: Finding['outcome']) =>
    until(async () => {
      const ours = (await list()).filter(({ host }) =>
        hospital.devices.some((device) => device.address === host),
      );
      const isComplete =
        ours.length === hospital.devices.length && ours.every((finding) => finding.outcome === outcome);
      return isComplete ? ours : undefined;
    }, 40_000);
  await admin.send('POST', '/api/discovery/runs', { method: 'ws-discovery' });
  const findingIds = (await listOnce('new')).map((finding) => finding.id);
  await admin.send('POST', '/api/discovery/learn', { findingIds, credentialSets });
  const items = (await listOnce('ok')).map((finding) => ({ findingId: finding.id }));
  await admin.send('POST', '/api/discovery/register', { items });
  return listChannels(admin);
}

async function listChannels(admin: ApiClient): Promise<readonly Channel[]> {
  const { devices } = await admin.send<{ devices: Device[] }>('GET', '/api/devices');
  return devices.flatMap((device) => device.channels);
}

/** Asks again and again until `probe` gives something. @throws Error after `withinMs` */
export async function until<T>(probe: () => Promise<T | undefined>, withinMs: number): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing came within ${withinMs} ms`);
    await sleep(250);
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  await ended;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
