import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Session } from '#api/auth/schema.ts';
import type { SocketMessage } from '#api/events/schema.ts';
import type { TestApp } from '../factories/app.ts';
import { makeLogInApp, openAdminBrowser, openBrowserAs, type Browser } from '../factories/browser.ts';

let app: TestApp;
let admin: Browser;
let address: string;
const sockets: WebSocket[] = [];
beforeEach(async () => {
  app = await makeLogInApp();
  admin = await openAdminBrowser(app);
  await app.http.listen({ host: '127.0.0.1', port: 0 });
  address = `127.0.0.1:${(app.http.server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await app.destroy();
});

interface Client {
  readonly socket: WebSocket;
  readonly messages: SocketMessage[];
  readonly closed: Promise<number>;
}

async function connect(browser: Browser, headers: Record<string, string> = {}): Promise<Client> {
  const cookie = browser.cookie === undefined ? {} : { cookie: browser.cookie };
  const socket = new WebSocket(`ws://${address}/api/events`, { headers: { ...cookie, ...headers } });
  sockets.push(socket);
  const messages: SocketMessage[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as SocketMessage));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  return { socket, messages, closed };
}

async function resume(client: Client, epoch: string | null = null, seq: number | null = null) {
  const before = client.messages.length;
  client.socket.send(JSON.stringify({ name: 'resume', epoch, seq }));
  return vi.waitFor(() => {
    const hello = client.messages[before];
    if (hello?.name !== 'hello') throw new Error('no hello yet');
    return hello;
  });
}

/** Well before the look at the session that every socket takes each 15 s. */
const soon = <T>(promise: Promise<T>) =>
  Promise.race([promise, new Promise<'too late'>((resolve) => setTimeout(resolve, 5000, 'too late'))]);

let nextHospital = 0;
/** Something happens that everybody with settings.read is told of. */
async function happen(): Promise<void> {
  const site = { hospitalName: `hospital ${++nextHospital}` };
  const response = await admin.request({ method: 'PATCH', url: '/api/settings', payload: { site } });
  expect(response.statusCode).toBe(200);
}
const eventsOf = (client: Client) => client.messages.filter((message) => message.name === 'event');

it('tells a fresh page where the server is, then what happens', async () => {
  await happen();
  const client = await connect(admin);
  expect(await resume(client)).toMatchObject({ seq: 1, isComplete: false });
  await happen();
  await vi.waitFor(() => expect(eventsOf(client)).toHaveLength(1));
  expect(eventsOf(client)).toMatchObject([{ seq: 2, event: { name: 'settings.changed', key: 'site' } }]);
});

it('replays exactly what a client missed while it was away, in order', async () => {
  const first = await connect(admin);
  const { epoch } = await resume(first);
  await happen();
  await vi.waitFor(() => expect(eventsOf(first)).toHaveLength(1));
  first.socket.close();
  await first.closed;
  for (let index = 0; index < 3; index++) await happen();
  const second = await connect(admin);
  expect(await resume(second, epoch, 1)).toMatchObject({ epoch, seq: 4, isComplete: true });
  await happen();
  await vi.waitFor(() => expect(eventsOf(second).map((message) => message.seq)).toEqual([2, 3, 4, 5]));
});

it('tells a client of another server run, or from the future, to load afresh', async () => {
  const first = await connect(admin);
  const { epoch } = await resume(first);
  const otherRun = await connect(admin);
  expect(await resume(otherRun, 'another-epoch', 0)).toMatchObject({ epoch, isComplete: false });
  const future = await connect(admin);
  expect(await resume(future, epoch, 99)).toMatchObject({ isComplete: false });
});

it('gives each person only what the role may know, live and replayed', async () => {
  const viewer = await openBrowserAs(app, admin, 'looker', 'viewer');
  const client = await connect(viewer);
  const { epoch, seq } = await resume(client);
  const witness = await connect(admin);
  await resume(witness);
  await happen();
  await vi.waitFor(() => expect(eventsOf(witness)).toHaveLength(1));
  expect(eventsOf(client)).toEqual([]);
  const again = await connect(viewer);
  expect(await resume(again, epoch, seq)).toMatchObject({ isComplete: true });
  await happen();
  await vi.waitFor(() => expect(eventsOf(witness)).toHaveLength(2));
  expect(eventsOf(again)).toEqual([]);
});

it('opens for nobody without a session', async () => {
  await expect(connect({ ...admin, cookie: undefined })).rejects.toThrow('401');
  await expect(connect({ ...admin, cookie: `weian=${'a'.repeat(43)}` })).rejects.toThrow('401');
});

it('opens for no page of another origin, though the browser sends the cookie along', async () => {
  await expect(connect(admin, { origin: 'http://127.0.0.1:1' })).rejects.toThrow('403');
  await expect(connect(admin, { origin: 'null' })).rejects.toThrow('403');
  const own = await connect(admin, { origin: `http://${address}` });
  await resume(own);
});

it('closes at once at log-out, also for whoever stole the cookie', async () => {
  const [owner, thief] = [await connect(admin), await connect(admin)];
  await resume(owner);
  await resume(thief);
  await admin.request({ method: 'DELETE', url: '/api/session' });
  expect(await soon(Promise.all([owner.closed, thief.closed]))).toEqual([4401, 4401]);
});

it('closes when the role changes, and stays open when another person’s does', async () => {
  const [one, other] = [
    await openBrowserAs(app, admin, 'one', 'viewer'),
    await openBrowserAs(app, admin, 'other', 'viewer'),
  ];
  const [changed, unchanged] = [await connect(one), await connect(other)];
  await resume(changed);
  await resume(unchanged);
  const { userId } = (await one.request({ method: 'GET', url: '/api/session' })).json<Session>();
  await admin.request({ method: 'PATCH', url: `/api/users/${userId}`, payload: { role: 'desk' } });
  expect(await soon(changed.closed)).toBe(4401);
  expect(unchanged.socket.readyState).toBe(WebSocket.OPEN);
});

it.each(['not json', '{"name":"resume"}', '{"name":"resume","epoch":null,"seq":-1}', '{"name":"else"}'])(
  'closes on the message %j',
  async (text) => {
    const client = await connect(admin);
    client.socket.send(text);
    expect(await client.closed).toBe(1008);
  },
);
