import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import fastify from 'fastify';
import { Pool } from 'undici';
import type { Finding } from '#api/devices/schema.ts';
import { makeLogInApp, openAdminBrowser, type Browser } from '../factories/browser.ts';
import { createFakeOnvif } from '../factories/fake-onvif.ts';

interface Load {
  readonly origin: string;
  readonly cookie: string;
  readonly forMs: number;
}
const deviceCount = 200;
const connections = 16;
const rounds = 3;

/** How many requests `connections` kept-alive connections got answered in the time, each read to its end. */
async function hammer({ origin, cookie, forMs }: Load): Promise<number> {
  const pool = new Pool(origin, { connections });
  const endAt = performance.now() + forMs;
  let count = 0;
  const work = async () => {
    while (performance.now() < endAt) {
      const answer = await pool.request({ path: '/api/devices', method: 'GET', headers: { cookie } });
      if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`);
      await answer.body.arrayBuffer();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  await pool.close();
  return count;
}

/** The load comes from a thread of its own, so that it does not take the server's time. */
function hammerElsewhere(load: Load): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: load });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

interface Figures {
  readonly requests: number;
  /** Of the server's thread. */
  readonly cpuSeconds: number;
}

async function measure(load: Load): Promise<Figures> {
  const before = process.threadCpuUsage();
  const requests = await hammerElsewhere(load);
  const { user, system } = process.threadCpuUsage(before);
  return { requests, cpuSeconds: (user + system) / 1e6 };
}

async function registerAll(admin: Browser): Promise<void> {
  const post = (url: string, payload: object) => admin.request({ method: 'POST', url, payload });
  const list = async () =>
    (await admin.request({ url: '/api/discovery/findings' })).json<{ findings: Finding[] }>().findings;
  const until = async (isReady: (outcomes: string[]) => boolean) => {
    while (!isReady((await list()).map((finding) => finding.outcome))) await sleep(100);
  };
  await post('/api/discovery/runs', { method: 'ws-discovery' });
  await until((outcomes) => outcomes.length === deviceCount);
  const findingIds = (await list()).map((finding) => finding.id);
  const credentialSets = [{ username: 'admin', password: 'Right#1234' }];
  await post('/api/discovery/learn', { findingIds, credentialSets });
  await until((outcomes) => outcomes.every((outcome) => outcome === 'ok'));
  await post('/api/discovery/register', { items: findingIds.map((findingId) => ({ findingId })) });
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function compare(figures: { console: Figures[]; bare: Figures[] }, of: (figure: Figures) => number) {
  const [console, bare] = [median(figures.console.map(of)), median(figures.bare.map(of))];
  return {
    console: Math.round(console),
    bare: Math.round(bare),
    ratio: Math.round((console / bare) * 100) / 100,
  };
}

/**
 * `GET /api/devices` by a logged-in person, with 200 cameras registered, against a bare Fastify that answers the same bytes; taken in
 * turns, medians. Wanted: a `ratio` of at least 0.5. Requests for each second of the server thread's CPU hold still on a busy machine.
 */
export async function measureDeviceList(forMs = 3_000) {
  const network = createFakeOnvif();
  for (let index = 0; index < deviceCount; index += 1) network.add(`10.20.1.${index}`, `S${index}`);
  const env = { CAMERA_NETWORKS: '10.20.0.0/16', LOG_LEVEL: 'info' };
  const app = await makeLogInApp({ onvif: network.port }, env);
  const bare = fastify();
  try {
    const admin = await openAdminBrowser(app);
    await registerAll(admin);
    const body = (await admin.request({ url: '/api/devices' })).rawPayload;
    bare.get('/api/devices', (_request, reply) => reply.type('application/json; charset=utf-8').send(body));
    const address = { host: '127.0.0.1', port: 0 };
    const cookie = admin.cookie ?? '';
    const [console, reference] = [await app.http.listen(address), await bare.listen(address)];
    const figures: { console: Figures[]; bare: Figures[] } = { console: [], bare: [] };
    for (let round = 0; round < rounds; round += 1) {
      figures.bare.push(await measure({ origin: reference, cookie, forMs }));
      figures.console.push(await measure({ origin: console, cookie, forMs }));
    }
    return {
      devices: deviceCount,
      sizeBytes: body.length,
      requestsPerSecond: compare(figures, (figure) => figure.requests / (forMs / 1000)),
      requestsPerCpuSecond: compare(figures, (figure) => figure.requests / figure.cpuSeconds),
    };
  } finally {
    await bare.close();
    await app.destroy();
  }
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
if (!isMainThread) parentPort?.postMessage(await hammer(workerData as Load));
else if (import.meta.main) process.stdout.write(`${JSON.stringify(await measureDeviceList())}\n`);
