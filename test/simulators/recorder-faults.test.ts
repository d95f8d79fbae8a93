import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Channel } from '#api/devices/schema.ts';
import type { Fault } from '#api/health/schema.ts';
import type { Ticket } from '#api/tickets/schema.ts';
import { startProductProcess, until, type Product } from '../factories/product.ts';

let product: Product;
const get = <T>(path: string) => product.admin.send<T>('GET', path);
/** Waits until every channel is in `state`. */
const allIn = (state: Channel['health'], withinMs: number) =>
  until(async () => {
    const channels = await product.listChannels();
    return channels.every((channel) => channel.health === state) ? channels : undefined;
  }, withinMs);

beforeAll(async () => {
  product = await startProductProcess({ devices: ['nvr-01'], subnet: '127.0.33', probeIntervalMs: 8_000 });
  expect(await product.registerAll()).toHaveLength(8);
  await allIn('online', 90_000);
}, 180_000);
afterAll(() => product?.close());

it('makes one fault a channel but one ticket of a recorder that falls, and notes that it came back', async () => {
  await product.hospital.setFault('nvr-01', { kind: 'drop' });
  const channels = await allIn('offline', 90_000);
  expect(new Set(channels.map((channel) => channel.healthReason))).toEqual(new Set(['tcp.unreachable']));
  const { faults } = await get<{ faults: Fault[] }>('/api/faults?isOpen=true');
  expect(faults).toHaveLength(8);
  expect(new Set(faults.map((fault) => fault.ticketId)).size).toBe(1);

  await product.hospital.clearFaults('nvr-01');
  await allIn('online', 120_000);
  const ticket = await get<Ticket>(`/api/tickets/${faults[0]?.ticketId}`);
  expect(ticket.state).toBe('new');
  expect(ticket.notes.filter((note) => note.kind === 'fault-recovered')).toHaveLength(8);
  expect((await get<{ faults: Fault[] }>('/api/faults?isOpen=true')).faults).toEqual([]);
}, 240_000);
