import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

/** A throw-away S3 server: OpenStack Swift with its S3 interface, as Debian packages it. It checks signatures and the hashes of bodies. */
export interface TestS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Ends the storage behind the interface: requests still come in and fail. */
  stopStorage(): Promise<void>;
  startStorage(): Promise<void>;
  close(): Promise<void>;
}

const parts = ['account', 'container', 'object'] as const;
const startTimeoutMs = 40_000;
const accessKeyId = 'hospital:backup';
const secretAccessKey = 'test-only-secret';

/** @throws Error with the server's own words when it does not start */
export async function startS3(): Promise<TestS3> {
  const dir = mkdtempSync(join(tmpdir(), 'weian-s3-'));
  mkdirSync(join(dir, 'disks', 'd1'), { recursive: true });
  const ports = new Map<string, number>();
  for (const part of [...parts, 'proxy', 'nobody']) ports.set(part, await findFreePort());
  for (const part of parts) {
    const builder = join(dir, `${part}.builder`);
    const ring = (...args: string[]) =>
      execFileSync('swift-ring-builder', [builder, ...args], { stdio: 'pipe' });
    ring('create', '4', '1', '0');
    ring('add', `r1z1-127.0.0.1:${ports.get(part)}/d1`, '1');
    ring('rebalance');
    writeFileSync(join(dir, `${part}.conf`), storageConf(dir, part, ports.get(part) ?? 0));
  }
  writeFileSync(join(dir, 'proxy.conf'), proxyConf(dir, ports.get('proxy') ?? 0, ports.get('nobody') ?? 0));
  const running = new Map<string, ChildProcess>();
  const start = (part: string) => running.set(part, spawnServer(dir, part));
  const stop = async (part: string) => {
    const child = running.get(part);
    running.delete(part);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const endpoint = `http://127.0.0.1:${ports.get('proxy')}`;
  const close = async () => {
    for (const part of [...parts, 'proxy']) await stop(part);
    rmSync(dir, { recursive: true, force: true });
  };
  for (const part of [...parts, 'proxy']) start(part);
  try {
    await createBucket(endpoint, 'weian-backup');
  } catch (error) {
    const words = readFileSync(join(dir, 'proxy.log'), 'utf8').slice(-2000);
    await close();
    throw new Error(`the S3 server did not start: ${words}`, { cause: error });
  }
  return {
    endpoint,
    bucket: 'weian-backup',
    accessKeyId,
    secretAccessKey,
    stopStorage: () => stop('object'),
    async startStorage() {
      start('object');
      await waitForPort(ports.get('object') ?? 0);
    },
    close,
  };
}

async function createBucket(endpoint: string, Bucket: string): Promise<void> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  const endAt = Date.now() + startTimeoutMs;
  try {
    for (;;) {
      try {
        await client.send(new CreateBucketCommand({ Bucket }));
        return;
      } catch (error) {
        if (Date.now() > endAt) throw error; // until then it is still starting
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  } finally {
    client.destroy();
  }
}

/** setpriv: a test run that is killed must not leave a server behind. */
function spawnServer(dir: string, part: string): ChildProcess {
  const log = join(dir, `${part}.log`);
  return spawn(
    'setpriv',
    [
      '--pdeathsig=KILL',
      '--',
      'sh',
      '-c',
      `exec swift-${part}-server "$0" >>"$1" 2>&1`,
      join(dir, `${part}.conf`),
      log,
    ],
    { stdio: 'ignore' },
  );
}

const common = (dir: string, port: number) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()}
swift_dir = ${dir}
log_address = ${dir}/no-syslog
`;

const storageConf = (dir: string, part: string, port: number) => `${common(dir, port)}
devices = ${dir}/disks
mount_check = false
fallocate_reserve = 0
[pipeline:main]
pipeline = ${part}-server
[app:${part}-server]
use = egg:swift#${part}
`;

/** @param cachePort where nothing listens: the cache is optional, the filter is not */
const proxyConf = (dir: string, port: number, cachePort: number) => `${common(dir, port)}
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${cachePort}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
[filter:slo]
use = egg:swift#slo
[filter:tempauth]
use = egg:swift#tempauth
user_hospital_backup = ${secretAccessKey} .admin
`;

async function waitForPort(port: number): Promise<void> {
  const endAt = Date.now() + startTimeoutMs;
  for (;;) {
    const isOpen = await fetch(`http://127.0.0.1:${port}/healthcheck`).then(
      () => true,
      () => false,
    );
    if (isOpen) return;
    if (Date.now() > endAt) throw new Error(`nothing listens on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
