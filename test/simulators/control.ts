import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { controlPage } from './control-page.ts';
import type { SimDevice } from './device.ts';
import type { Fault, FaultKind } from './faults.ts';
import type { Hospital } from './hospital.ts';

const MAX_BODY_BYTES = 4096;

/** A whole number within bounds, under its name in the request; the default when it is absent. */
interface Field {
  name: string;
  low: number;
  high: number;
  fallback: number;
}

const PLAIN = [
  'drop',
  'freeze',
  'black',
  'white',
  'blur',
  'covered',
  'refusePassword',
  'lockout',
  'noVideo',
  'malformedSoap',
] as const;
const WITH_FIELD: Readonly<Record<string, Field>> = {
  clockSkew: { name: 'skewMs', low: -31_536_000_000, high: 31_536_000_000, fallback: 600_000 },
  slow: { name: 'delayMs', low: 1, high: 60_000, fallback: 3_000 },
  stall: { name: 'afterMs', low: 0, high: 3_600_000, fallback: 3_000 },
  changeAddress: { name: 'host', low: 100, high: 250, fallback: 200 },
};

/** Every fault the control page offers. */
export const FAULT_KINDS: readonly FaultKind[] = [...PLAIN, 'clockSkew', 'slow', 'stall', 'changeAddress'];

/** @throws Error that says what is wrong with a request's fault. */
export function readFault(body: unknown): Fault {
  const { kind, ...rest } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const plain = PLAIN.find((one) => one === kind);
  if (plain) return { kind: plain };
  const field = typeof kind === 'string' && Object.hasOwn(WITH_FIELD, kind) ? WITH_FIELD[kind] : undefined;
  if (!field) throw new Error(`kind must be one of ${FAULT_KINDS.join(', ')}`);
  const value = rest[field.name] ?? field.fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < field.low || value > field.high) {
    throw new Error(`${field.name} must be a whole number from ${field.low} to ${field.high}`);
  }
  return { kind, [field.name]: value } as unknown as Fault;
}

/** A device as the control API shows it. */
function view(device: SimDevice): object {
  return {
    id: device.id,
    kind: device.spec.kind,
    name: device.spec.name,
    address: device.address,
    xaddr: device.xaddr,
    streams: device.streams.map((s) => ({
      name: s.channel.name,
      kind: s.kind,
      codec: s.codec,
      url: device.rtspUrl(s),
    })),
    traits: device.spec.traits,
    faults: device.faults.list(),
    stats: device.stats,
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > MAX_BODY_BYTES) throw new Error('The request is too large');
  }
  return JSON.parse(text) as unknown;
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(value));
}

/** The running control server. */
export interface Control {
  url: string;
  close(): Promise<void>;
}

/**
 * Serves a page with a button for every fault of every device, and the API under it, on 127.0.0.1:
 * `GET /devices`, `POST /devices/:id/fault` with a `Fault`, `DELETE /devices/:id/fault` for all or `…/fault/:kind` for one.
 */
export async function startControl(hospital: Hospital, port = 0): Promise<Control> {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0]!;
    if (request.method === 'GET' && path === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(controlPage);
      return;
    }
    if (request.method === 'GET' && path === '/devices')
      return send(response, 200, hospital.devices.map(view));
    const m = /^\/devices\/([\w-]+)\/fault(?:\/(\w+))?$/.exec(path);
    const device = m && hospital.devices.find((d) => d.id === m[1]);
    if (!device) return send(response, 404, { message: 'No such device or page' });
    // A form of a foreign page cannot send this type, so it cannot switch faults either.
    if (request.method === 'POST' && request.headers['content-type']?.startsWith('application/json')) {
      await hospital.setFault(device.id, readFault(await readJson(request)));
    } else if (request.method === 'DELETE') {
      const kind = FAULT_KINDS.find((k) => k === m[2]);
      if (m[2] !== undefined && !kind) return send(response, 404, { message: 'No such fault' });
      await hospital.clearFaults(device.id, kind);
    } else return send(response, 405, { message: 'POST with JSON or DELETE' });
    send(response, 200, view(device));
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      send(response, 400, { message: error instanceof Error ? error.message : String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
