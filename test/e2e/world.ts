import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Role } from '#api/auth/permissions.ts';
import type { Channel, Device, Finding } from '#api/devices/schema.ts';
import { logIn, type ApiClient } from '../../scripts/demo/api-client.ts';
import { furnish } from '../../scripts/demo/furnish.ts';
import { loadOrMakeLogins, type DemoLogin } from '../../scripts/demo/logins.ts';
import { startHospital, type Hospital } from '../simulators/hospital.ts';

export const subnet = '127.0.31';
const serverEntry = new URL('../../server/main.ts', import.meta.url).pathname;

/** The whole product at work: the simulated hospital, the server in its own process over HTTPS, and a browser. */
export interface ProductWorld {
  readonly hospital: Hospital;
  readonly origin: string;
  readonly dataDir: string;
  readonly browser: Browser;
  /** The administrator's API access, for settings and for looking behind the page. */
  readonly admin: ApiClient;
  /** A browser page of a person of `role`, logged in through the log-in page. */
  openAs(
    role: Role,
    options?: { locale?: 'zh-CN' | 'en'; viewport?: { width: number; height: number } },
  ): Promise<Page>;
  login(role: Role): DemoLogin;
  listChannels(): Promise<readonly Channel[]>;
  /** Does by API what the discovery page does: finds, asks and registers every device that has started. Answers the channels. */
  registerAll(): Promise<readonly Channel[]>;
  /** Keeps a picture of the page, for people to look at, where WEIAN_SHOTS names a folder. */
  shoot(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param devices ids of the simulated devices to start; all when left out
 * @param isFurnished false leaves the first-run page to the test
 */
export async function startProduct(
  options: { devices?: readonly string[]; isFurnished?: boolean } = {},
): Promise<ProductWorld> {
  const dataDir = mkdtempSync(join(tmpdir(), 'weian-e2e-'));
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
  const server = spawn(process.execPath, [serverEntry], {
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
    },
  });
  const log = createWriteStream(join(dataDir, 'server.log'));
  server.stdout.pipe(log, { end: false });
  server.stderr.pipe(log, { end: false });

  const certFile = join(dataDir, 'keys', 'tls.crt');
  const admin = await until(async () => {
    if (server.exitCode !== null)
      throw new Error(`the server ended: ${readFileSync(join(dataDir, 'server.log'), 'utf8')}`);
    if (!existsSync(certFile)) return undefined;
    return logIn(origin, readFileSync(certFile, 'utf8'), 'admin', login('admin').password).catch(
      () => undefined,
    );
  }, 40_000);
  if (options.isFurnished !== false) await furnish(admin, hospital, logins, [`${subnet}.0/24`]);
  await admin.send('PATCH', '/api/settings', {
    health: { probeIntervalMs: 3_000, retryIntervalMs: 1_000, failuresToFault: 3, successesToRecover: 2 },
  });
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
  const contexts: BrowserContext[] = [];
  return {
    hospital,
    origin,
    dataDir,
    browser,
    admin,
    login,
    async openAs(role, { locale = 'zh-CN', viewport = { width: 1440, height: 900 } } = {}) {
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        viewport,
        locale,
        acceptDownloads: true,
      });
      contexts.push(context);
      const page = await context.newPage();
      await page.goto(origin);
      await enterLogin(page, login(role));
      return page;
    },
    listChannels: () => listChannels(admin),
    registerAll: () => registerAll(admin, hospital),
    async shoot(page, name) {
      const folder = process.env.WEIAN_SHOTS;
      if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
    },
    async close() {
      for (const context of contexts) await context.close();
      await browser.close();
      await admin.close();
      await stop(server);
      await hospital.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Fills in the log-in page and waits until it has gone. */
export async function enterLogin(
  page: Page,
  { username, password }: Pick<DemoLogin, 'username' | 'password'>,
): Promise<void> {
  await page.locator('input[autocomplete="username"]').fill(username);
  await page.locator('input[autocomplete="current-password"]').fill(password);
  await page.locator('button[type="submit"]').click();
  await page.locator('input[autocomplete="username"]').waitFor({ state: 'detached' });
}

async function registerAll(admin: ApiClient, hospital: Hospital): Promise<readonly Channel[]> {
  const list = async () =>
    (await admin.send<{ findings: Finding[] }>('GET', '/api/discovery/findings')).findings;
  /** Findings of our devices, once there is one for each and all of them have the wanted outcome. */
  const listOnce = (outcome: Finding['outcome']) =>
    until(async () => {
      const ours = (await list()).filter(({ host }) =>
        hospital.devices.some((device) => device.address === host),
      );
      return ours.length === hospital.devices.length && ours.every((finding) => finding.outcome === outcome)
        ? ours
        : undefined;
    }, 30_000);
  await admin.send('POST', '/api/discovery/runs', { method: 'ws-discovery' });
  const { user: username, password } = hospital.credentials;
  const findingIds = (await listOnce('new')).map((finding) => finding.id);
  await admin.send('POST', '/api/discovery/learn', { findingIds, credentialSets: [{ username, password }] });
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
  if (server.exitCode !== null) return;
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
