import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditTrail } from '#api/auth/audit-trail.ts';
import { createEventBus, type EventBus } from '#api/events/bus.ts';
import type { ServerEvent } from '#api/events/schema.ts';
import { createHealthService, type Look } from '#api/health/service.ts';
import { createHealthStore } from '#api/health/store.ts';
import { createLogger } from '#api/log.ts';
import { createSettingsService, defaultSettings } from '#api/settings/service.ts';
import { createTicketService } from '#api/tickets/service.ts';
import { createTicketStore } from '#api/tickets/store.ts';
import { insertDevice, insertUser, makeTestDatabase } from '../factories/database.ts';

const good: Look = {
  verdict: 'ok',
  reason: null,
  layers: [{ layer: 'tcp', isOk: true, durationMs: 1, error: null, detail: null }],
};
const dead: Look = {
  verdict: 'failed',
  reason: 'tcp.unreachable',
  layers: [{ layer: 'tcp', isOk: false, durationMs: 1, error: 'unreachable', detail: 'connection refused' }],
};
const blind: Look = { verdict: 'degraded', reason: 'decode.bad-output', layers: [] };

async function makeWorld() {
  const { db, destroy } = await makeTestDatabase();
  const log = createLogger({ logLevel: 'silent' });
  let at = Date.parse('2026-11-24T16:30:00Z'); // already the 25th in Chengdu
  const now = () => (at += 1000);
  const channels = [
    ...(await insertDevice(db, 'cam', ['急诊大厅'])).map((channelId) => ({
      channelId,
      deviceId: 'cam',
      name: '急诊大厅',
    })),
    ...(await insertDevice(db, 'nvr', ['药库', '走廊'])).map((channelId, i) => ({
      channelId,
      deviceId: 'nvr',
      name: ['药库', '走廊'][i] ?? '',
    })),
  ];
  await insertUser(db, 'eva', 'engineer');
  const looks = new Map<string, Look>();
  const events: ServerEvent[] = [];

  async function makeServices(bus: EventBus) {
    const settings = await createSettingsService({
      db,
      bus,
      now,
      defaults: defaultSettings([]),
      onBadRow: () => undefined,
    });
    const tickets = createTicketService({
      db,
      store: createTicketStore(db),
      findChannel: (id) => channels.find((channel) => channel.channelId === id),
      listAssignees: async () => [{ id: 'eva', displayName: 'Eva' }],
      audit: createAuditTrail({ db, now }),
      bus,
      siteTimeZone: 'Asia/Shanghai',
      now,
    });
    const health = await createHealthService({
      db,
      store: createHealthStore(db),
      listWatched: () => channels,
      look: async (channelId) => looks.get(channelId) ?? good,
      tickets,
      settings,
      bus,
      now,
      log,
    });
    return { tickets, health };
  }
  const bus = createEventBus({ now, log });
  bus.onAny(({ event }) => events.push(event));
  return {
    ...(await makeServices(bus)),
    restart: () => makeServices(bus),
    db,
    looks,
    events,
    names: () => events.map((event) => event.name),
    destroy,
  };
}

describe('faults and their tickets', () => {
  let world: Awaited<ReturnType<typeof makeWorld>>;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.destroy());

  const lookTimes = async (channelId: string, times: number) => {
    for (let i = 0; i < times; i++) await world.health.checkNow(channelId);
  };

  it('opens one ticket after three failures, numbered by the site day, and notes the recovery without closing it', async () => {
    await lookTimes('cam-0', 1);
    world.looks.set('cam-0', dead);
    await lookTimes('cam-0', 2);
    expect(await world.tickets.list({})).toEqual([]);
    await lookTimes('cam-0', 3);

    const [ticket, ...others] = await world.tickets.list({});
    expect(others).toEqual([]);
    expect(ticket).toMatchObject({
      number: '20261125-0001',
      title: '急诊大厅',
      state: 'new',
      isFaultOpen: true,
    });
    const [fault] = await world.health.listFaults({ isOpen: true });
    expect(fault).toMatchObject({ reason: 'tcp.unreachable', ticketId: ticket?.id, kind: 'channel-offline' });
    expect(fault?.evidence.slice(0, 3).map((sample) => sample.verdict)).toEqual([
      'failed',
      'failed',
      'failed',
    ]);

    world.looks.set('cam-0', good);
    await lookTimes('cam-0', 2);
    const after = await world.tickets.get(ticket?.id ?? '');
    expect(after).toMatchObject({ state: 'new', isFaultOpen: false });
    expect(after.notes.map((note) => note.kind)).toEqual(['fault-opened', 'fault-recovered']);
    expect(JSON.parse(after.notes[1]?.body ?? '')).toMatchObject({ channelName: '急诊大厅' });
    expect(await world.health.listFaults({ isOpen: true })).toEqual([]);
    expect(world.names().filter((name) => name.startsWith('fault.'))).toEqual([
      'fault.opened',
      'fault.recovered',
    ]);
  });

  it('joins the ticket of the same NVR instead of opening one per channel', async () => {
    world.looks.set('nvr-0', dead);
    world.looks.set('nvr-1', dead);
    await lookTimes('nvr-0', 3);
    await lookTimes('nvr-1', 3);
    const tickets = await world.tickets.list({});
    expect(tickets).toHaveLength(1);
    const { notes } = await world.tickets.get(tickets[0]?.id ?? '');
    expect(notes.map((note) => JSON.parse(note.body).channelName)).toEqual(['药库', '走廊']);
    expect(await world.health.listFaults({ isOpen: true })).toHaveLength(2);
  });

  it('turns a degraded fault into an offline one under the same ticket', async () => {
    world.looks.set('cam-0', blind);
    await lookTimes('cam-0', 3);
    world.looks.set('cam-0', dead);
    await lookTimes('cam-0', 3);
    const faults = await world.health.listFaults({});
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ kind: 'channel-offline', reason: 'tcp.unreachable' });
  });

  it('neither forgets nor repeats a fault over a restart', async () => {
    world.looks.set('cam-0', dead);
    await lookTimes('cam-0', 3);
    const second = await world.restart();
    expect(second.health.viewOf('cam-0')).toMatchObject({ state: 'offline', reason: 'tcp.unreachable' });
    await second.health.checkNow('cam-0');
    expect(await second.tickets.list({})).toHaveLength(1);
    world.looks.set('cam-0', good);
    await second.health.checkNow('cam-0');
    await second.health.checkNow('cam-0');
    expect(await second.health.listFaults({ isOpen: true })).toEqual([]);
  });

  it('counts two looks asked for at once as one', async () => {
    world.looks.set('cam-0', dead);
    await Promise.all([1, 2, 3, 4].map(() => world.health.checkNow('cam-0')));
    expect((await world.health.get('cam-0')).streakCount).toBe(1);
  });

  it('refuses a change made on a stale copy and keeps the first', async () => {
    const author = { userId: 'eva', displayName: 'Eva' };
    const ticket = await world.tickets.create({ kind: 'his', title: '收费处打印机' }, author);
    await world.tickets.change(ticket.id, { version: 1, assigneeId: 'eva' }, author);
    await expect(
      world.tickets.change(ticket.id, { version: 1, state: 'closed' }, author),
    ).rejects.toMatchObject({
      code: 'conflict.version',
    });
    const now = await world.tickets.get(ticket.id);
    expect(now).toMatchObject({ state: 'assigned', assigneeName: 'eva', version: 2 });
    expect(JSON.parse(now.notes[0]?.body ?? '')).toEqual({
      state: { from: 'new', to: 'assigned' },
      assignee: { from: null, to: 'Eva' },
    });
  });

  it('finds tickets by text without treating % as a wildcard', async () => {
    const author = { userId: 'eva', displayName: 'Eva' };
    await world.tickets.create({ kind: 'his', title: 'CPU 100% 占用' }, author);
    await world.tickets.create({ kind: 'his', title: 'CPU 1000 次' }, author);
    expect((await world.tickets.list({ text: '100%' })).map((ticket) => ticket.title)).toEqual([
      'CPU 100% 占用',
    ]);
    expect(await world.tickets.list({ text: '20261125' })).toHaveLength(2);
  });
});
