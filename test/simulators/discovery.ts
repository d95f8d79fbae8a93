import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { randomBytes, randomUUID } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimDevice } from './device.ts';
import { child, parseXml, textAt, xml, Xml, type Node } from './xml.ts';

/** Where probes go. Source: WS-Discovery 1.0 (April 2005) §2.4. */
export const MULTICAST_ADDRESS = '239.255.255.250';
export const DISCOVERY_PORT = 3702;
/** APP_MAX_DELAY: a device waits a random time up to this before it answers. */
const MAX_DELAY_MS = 500;
const GARBAGE_BYTES = 1024 * 1024;
const GARBAGE_DATAGRAM_BYTES = 8192;

const NETWORK_WSDL = 'http://www.onvif.org/ver10/network/wsdl';
const DEVICE_WSDL = 'http://www.onvif.org/ver10/device/wsdl';
const ENVELOPE =
  'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ' +
  `xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="${NETWORK_WSDL}" xmlns:tds="${DEVICE_WSDL}"`;
const ACTION = 'http://schemas.xmlsoap.org/ws/2005/04/discovery';
const ANONYMOUS = 'http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous';

interface Probe {
  messageId: string;
  /** `{namespace}local`, empty when the probe asks for everything. */
  types: string[];
  scopes: string[];
}

/** All `xmlns:` declarations in the message, whatever element they stand on. */
function declarations(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/xmlns:([\w.-]+)\s*=\s*["']([^"']+)["']/g)].map((m) => [m[1]!, m[2]!] as const),
  );
}

function readProbe(text: string): Probe | undefined {
  let root: Node;
  try {
    root = parseXml(text);
  } catch {
    return undefined; // other programs' datagrams come to this group too
  }
  const envelope = child(root, 'Envelope');
  const probe = child(child(envelope, 'Body'), 'Probe');
  const messageId = textAt(envelope, 'Header', 'MessageID');
  if (!probe || !messageId) return undefined;
  const prefixes = declarations(text);
  const words = (name: string): string[] => textAt(probe, name)?.split(/\s+/).filter(Boolean) ?? [];
  const types = words('Types').map((q) => {
    const [prefix, local] = q.includes(':') ? q.split(':') : ['', q];
    return `{${prefixes.get(prefix!) ?? ''}}${local}`;
  });
  return { messageId, types, scopes: words('Scopes') };
}

const VIDEO = `{${NETWORK_WSDL}}NetworkVideoTransmitter`;
const DEVICE = `{${DEVICE_WSDL}}Device`;

function matches(device: SimDevice, probe: Probe): boolean {
  if (device.spec.traits.discovery === 'silent') return false;
  if (device.spec.traits.discovery === 'exact-type') {
    if (probe.types.length !== 1 || probe.types[0] !== VIDEO) return false;
  }
  const scopeFits = (wanted: string): boolean =>
    device.scopes.some((own) => own === wanted || own.startsWith(`${wanted}/`));
  return probe.types.every((t) => t === VIDEO || t === DEVICE) && probe.scopes.every(scopeFits);
}

function match(device: SimDevice): Xml {
  const foreign = device.spec.traits.discovery === 'foreign-xaddr';
  const xaddr = foreign ? 'http://203.0.113.77/onvif/device_service' : device.xaddr;
  return xml`<a:EndpointReference><a:Address>${device.endpointReference}</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types><d:Scopes>${device.scopes.join(' ')}</d:Scopes><d:XAddrs>${xaddr}</d:XAddrs><d:MetadataVersion>${device.metadataVersion}</d:MetadataVersion>`;
}

function message(action: string, to: string, relatesTo: string | undefined, body: Xml): Buffer {
  const text = xml`<s:Envelope ${new Xml(ENVELOPE)}><s:Header><a:MessageID>urn:uuid:${randomUUID()}</a:MessageID>${relatesTo !== undefined && xml`<a:RelatesTo>${relatesTo}</a:RelatesTo>`}<a:To>${to}</a:To><a:Action>${ACTION}/${action}</a:Action></s:Header><s:Body>${body}</s:Body></s:Envelope>`;
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text.text}`);
}

/** The loopback interface and every other one that has an IPv4 address. */
function interfaces(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const routed = all.filter((i) => i.family === 'IPv4' && !i.internal).map((i) => i.address);
  return ['127.0.0.1', ...routed];
}

/** Answers WS-Discovery probes for all devices, each from its own address, and says Hello for one that moved. */
export class DiscoveryResponder {
  readonly #devices: readonly SimDevice[];
  readonly #socket: Socket;
  readonly #lost = new Map<string, number>();
  readonly #ending = new AbortController();
  readonly #pending = new Set<Promise<void>>();

  private constructor(devices: readonly SimDevice[], socket: Socket) {
    this.#devices = devices;
    this.#socket = socket;
    socket.on('message', (data, from) => this.#onMessage(data, from));
  }

  /** @throws Error when port 3702 is held by a program that does not share it. */
  static async start(devices: readonly SimDevice[]): Promise<DiscoveryResponder> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(DISCOVERY_PORT, '0.0.0.0', resolve);
    });
    for (const address of interfaces()) socket.addMembership(MULTICAST_ADDRESS, address);
    return new DiscoveryResponder(devices, socket);
  }

  /** The next `count` answers of a device are lost on the way. */
  lose(id: string, count: number): void {
    this.#lost.set(id, count);
  }

  #onMessage(data: Buffer, from: RemoteInfo): void {
    const probe = readProbe(data.toString('utf8'));
    if (!probe) return;
    for (const [index, device] of this.#devices.entries()) {
      if (device.faults.has('drop') || !matches(device, probe)) continue;
      device.stats.probes += 1;
      const lost = this.#lost.get(device.id) ?? 0;
      if (lost > 0) {
        this.#lost.set(device.id, lost - 1);
        continue;
      }
      const before = this.#devices[index - 1];
      const work = this.#answer(device, before, probe, from).catch((error: unknown) => {
        if (!this.#ending.signal.aborted) process.stderr.write(`${device.id}: discovery: ${String(error)}\n`);
      });
      this.#pending.add(work);
      void work.finally(() => this.#pending.delete(work));
    }
  }

  async #answer(
    device: SimDevice,
    before: SimDevice | undefined,
    probe: Probe,
    to: RemoteInfo,
  ): Promise<void> {
    const way = device.spec.traits.discovery;
    await sleep(Math.random() * MAX_DELAY_MS, undefined, { signal: this.#ending.signal });
    const all = way === 'pair' && before ? [before, device] : [device];
    const body = xml`<d:ProbeMatches>${all.map((d) => xml`<d:ProbeMatch>${match(d)}</d:ProbeMatch>`)}</d:ProbeMatches>`;
    const relatesTo = way === 'wrong-relates-to' ? `urn:uuid:${randomUUID()}` : probe.messageId;
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(0, device.address, resolve);
      });
      const send = (data: Buffer): Promise<void> =>
        new Promise((resolve, reject) => {
          socket.send(data, to.port, to.address, (error) => (error ? reject(error) : resolve()));
        });
      if (way === 'garbage') {
        for (let sent = 0; sent < GARBAGE_BYTES; sent += GARBAGE_DATAGRAM_BYTES) {
          await send(randomBytes(GARBAGE_DATAGRAM_BYTES));
        }
      }
      const answer = message('ProbeMatches', ANONYMOUS, relatesTo, body);
      await send(answer);
      if (way === 'duplicate') await send(answer);
    } finally {
      socket.close();
    }
  }

  /** Announces a device at its present address. Source: WS-Discovery 1.0 §4.1. */
  async hello(device: SimDevice): Promise<void> {
    const data = message(
      'Hello',
      'urn:schemas-xmlsoap-org:ws:2005:04:discovery',
      undefined,
      xml`<d:Hello>${match(device)}</d:Hello>`,
    );
    for (const address of interfaces()) {
      this.#socket.setMulticastInterface(address);
      await new Promise<void>((resolve, reject) => {
        this.#socket.send(data, DISCOVERY_PORT, MULTICAST_ADDRESS, (error) =>
          error ? reject(error) : resolve(),
        );
      });
    }
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#pending);
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}
