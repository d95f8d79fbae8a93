import { randomUUID } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { MediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import { parseRange } from './cidr.ts';
import { createRegistry, type DiscoveredDevice } from './discovered-devices.ts';
import { isOwnProbe, MAX_REPLY_BYTES, readProbeReply } from './probe-match.ts';

export type { DiscoveredDevice } from './discovered-devices.ts';

export interface DiscoveryOptions {
  /** Camera networks as CIDR. Addresses outside are listed as untrusted and never called. */
  networks: readonly string[];
  /** How long to listen, at most 10 s. Default 4000. */
  durationMs?: number;
  /** Interface names or addresses; default every one with an IPv4 address, loopback included. */
  interfaces?: readonly string[];
  /** Default 3702. */
  port?: number;
  signal?: AbortSignal;
  /** Called at a device's first reply, and again when a later one adds an address to it. */
  onFound?: (device: DiscoveredDevice) => void;
  log: Log;
}

/** Counters of one interface. */
export interface InterfaceReport {
  name: string;
  address: string;
  probesSent: number;
  replies: number;
  /** Datagrams that are no probe reply, or above the size or count limits. */
  malformed: number;
  /** Well-formed replies to somebody else's probe. */
  foreign: number;
  /** Why this interface could not be used or stopped, e.g. no multicast. */
  error?: string;
}

export interface DiscoveryResult {
  /** Ordered by first trusted address. */
  devices: DiscoveredDevice[];
  interfaces: InterfaceReport[];
  probesSent: number;
  replies: number;
  malformed: number;
  foreign: number;
}

const GROUP = '239.255.255.250';

/** Cameras differ in what they answer: most to the first, some recorders only to the second, a few only to an untyped probe. */
const PROBE_TYPES = [
  ['dn:NetworkVideoTransmitter', 'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"'],
  ['tds:Device', 'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'],
  undefined,
] as const;

/** When each round of probes goes out, as parts of the duration. UDP loses replies; four rounds of three survive several losses. */
const ROUNDS = [0, 0.12, 0.3, 0.55];

/** Beyond this one sender is noise: a recorder that answers for 64 cameras sends about 800 replies. */
const MAX_DATAGRAMS_PER_SENDER = 2_000;

/**
 * Looks for ONVIF devices with WS-Discovery on every interface at once, each with a socket of its own. Contacts nothing but the
 * multicast group. Returns early with what was found when `signal` is aborted; an interface that cannot multicast is reported, not fatal.
 * @throws MediaError 'rejected' for a network that is no CIDR or a duration outside 200 to 10000 ms
 * Source: WS-Discovery April 2005; ONVIF Core specification 7.3; SOAP-over-UDP 1.1 (a repeat here has a new identifier, because devices
 * drop repeats of an old one, and it is the reply that gets lost).
 */
export async function discover(options: DiscoveryOptions): Promise<DiscoveryResult> {
  const networks = options.networks.map(parseRange);
  const durationMs = options.durationMs ?? 4_000;
  if (!(durationMs >= 200 && durationMs <= 10_000))
    throw new MediaError('rejected', 'discovery lasts between 200 and 10000 ms');
  const registry = createRegistry(networks, options.onFound);
  const sent = new Set<string>();
  const reports = await Promise.all(
    chooseInterfaces(options.interfaces).map((local) =>
      probeInterface(local, { ...options, durationMs }, sent, registry.add),
    ),
  );
  const sum = (key: 'probesSent' | 'replies' | 'malformed' | 'foreign') =>
    reports.reduce((total, report) => total + report[key], 0);
  return {
    devices: registry.list(),
    interfaces: reports,
    probesSent: sum('probesSent'),
    replies: sum('replies'),
    malformed: sum('malformed'),
    foreign: sum('foreign'),
  };
}

function chooseInterfaces(wanted: readonly string[] | undefined): { name: string; address: string }[] {
  return Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) =>
      (addresses ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => ({ name, address })),
    )
    .filter(({ name, address }) => wanted === undefined || wanted.includes(name) || wanted.includes(address));
}

type AddMatches = (reply: ReturnType<typeof readProbeReply>, sender: string, interfaceName: string) => void;

function probeInterface(
  local: { name: string; address: string },
  { durationMs, port = 3702, signal, log }: DiscoveryOptions & { durationMs: number },
  sent: Set<string>,
  add: AddMatches,
): Promise<InterfaceReport> {
  const report: InterfaceReport = { ...local, probesSent: 0, replies: 0, malformed: 0, foreign: 0 };
  const datagramsOf = new Map<string, number>();
  const timers: NodeJS.Timeout[] = [];
  const socket = createSocket({ type: 'udp4' });

  const onMessage = (datagram: Buffer, from: RemoteInfo): void => {
    const sender = `${from.address}:${from.port}`;
    const count = (datagramsOf.get(sender) ?? 0) + 1;
    datagramsOf.set(sender, count);
    // A cheap look first, so that a megabyte of noise costs no parsing.
    if (
      count > MAX_DATAGRAMS_PER_SENDER ||
      datagram.length > MAX_REPLY_BYTES ||
      !datagram.includes('ProbeMatch')
    ) {
      report.malformed += 1;
      return;
    }
    try {
      const reply = readProbeReply(datagram);
      if (reply.matches.length === 0) report.malformed += 1;
      else if (!isOwnProbe(reply.relatesTo, sent)) report.foreign += 1;
      else {
        report.replies += 1;
        add(reply, from.address, local.name);
      }
    } catch (error) {
      report.malformed += 1;
      log.debug({ sender, error: (error as Error).message }, 'unreadable discovery reply');
    }
  };

  return new Promise((resolve) => {
    const finish = (error?: Error): void => {
      if (error) {
        report.error = error.message;
        log.debug({ interface: local.name, error: error.message }, 'interface cannot be used for discovery');
      }
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeAllListeners('error');
      // Errors of a socket that is being closed are nobody's concern any more.
      socket.on('error', (late) => log.debug({ error: late.message }, 'discovery socket'));
      socket.close(() => resolve(report));
    };
    const onAbort = (): void => finish();
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', finish);
    socket.on('message', onMessage);
    socket.bind({ address: local.address, port: 0 }, () => {
      try {
        socket.setMulticastInterface(local.address);
        socket.setMulticastTTL(1);
        // A fleet answers within the same few milliseconds.
        socket.setRecvBufferSize(1_000_000);
      } catch (error) {
        finish(error as Error);
        return;
      }
      for (const part of ROUNDS) {
        for (const [index, type] of PROBE_TYPES.entries()) {
          // The three kinds of a round are spread as well: small devices answer one datagram at a time.
          timers.push(
            setTimeout(
              () => sendProbe(socket, port, type, sent, report),
              part * durationMs + index * Math.min(50, durationMs / 40),
            ),
          );
        }
      }
      timers.push(setTimeout(() => finish(), durationMs));
    });
  });
}

function sendProbe(
  socket: Socket,
  port: number,
  type: (typeof PROBE_TYPES)[number],
  sent: Set<string>,
  report: InterfaceReport,
): void {
  const id = randomUUID();
  sent.add(id);
  const [name, namespace] = type ?? ['', ''];
  const probe =
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">' +
    '<s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>' +
    `<a:MessageID>urn:uuid:${id}</a:MessageID>` +
    '<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>' +
    '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>' +
    `<s:Body><d:Probe>${name ? `<d:Types ${namespace}>${name}</d:Types>` : ''}</d:Probe></s:Body></s:Envelope>`;
  socket.send(probe, port, GROUP, (error) => {
    if (error) report.error ??= error.message;
    else report.probesSent += 1;
  });
}
