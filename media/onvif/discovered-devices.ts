import type { Ipv4Range } from './cidr.ts';
import { normaliseReference } from './identity.ts';
import {
  judgeAddress,
  readScopes,
  type AnnouncedAddress,
  type ProbeMatch,
  type ProbeReply,
} from './probe-match.ts';

/** A device as all its replies together describe it. */
export interface DiscoveredDevice {
  /** Without `urn:uuid:` and in lower case; undefined if it announces none. */
  endpointReference?: string;
  types: string[];
  scopes: string[];
  name?: string;
  hardware?: string;
  location?: string;
  /** In the order announced. Call only those with `isTrusted`. */
  xaddrs: AnnouncedAddress[];
  /** Whether at least one address is trusted. */
  isTrusted: boolean;
  /** Where its replies came from. */
  senders: string[];
  /** On which of our interfaces. */
  interfaces: string[];
  /** What is odd, in sentences. */
  notes: string[];
}

/** Bounds of what one run keeps; a /16 full of cameras has fewer. */
const MAX_DEVICES = 2_000;
const MAX_ADDRESSES = 16;

/** Gathers replies into devices: same endpoint reference, same device; without one, same first address. */
export function createRegistry(networks: readonly Ipv4Range[], onFound?: (device: DiscoveredDevice) => void) {
  const devices = new Map<string, DiscoveredDevice>();

  function merge(match: ProbeMatch, sender: string, interfaceName: string): void {
    const reference = normaliseReference(match.endpointReference);
    const key = reference || match.xaddrs[0];
    if (!key || (devices.size >= MAX_DEVICES && !devices.has(key))) return;
    const device = devices.get(key) ?? empty(reference || undefined);
    const isNew = !devices.has(key);
    devices.set(key, device);
    const known = device.xaddrs.length;
    addTo(device.types, match.types, 20);
    addTo(device.scopes, match.scopes, 100);
    addTo(device.senders, [sender], 16);
    addTo(device.interfaces, [interfaceName], 16);
    for (const url of match.xaddrs) {
      if (device.xaddrs.length >= MAX_ADDRESSES || device.xaddrs.some((address) => address.url === url))
        continue;
      device.xaddrs.push(judgeAddress(url, networks));
    }
    Object.assign(device, readScopes(device.scopes));
    device.isTrusted = device.xaddrs.some((address) => address.isTrusted);
    device.notes = notesOf(device);
    if (isNew || device.xaddrs.length > known) onFound?.(device);
  }

  return {
    add(reply: ProbeReply, sender: string, interfaceName: string): void {
      for (const match of reply.matches) merge(match, sender, interfaceName);
    },
    list: (): DiscoveredDevice[] =>
      [...devices.values()].toSorted((a, b) => sortKey(a).localeCompare(sortKey(b), 'en', { numeric: true })),
  };
}

const empty = (endpointReference: string | undefined): DiscoveredDevice => ({
  endpointReference,
  types: [],
  scopes: [],
  xaddrs: [],
  isTrusted: false,
  senders: [],
  interfaces: [],
  notes: [],
});

const sortKey = ({ xaddrs }: DiscoveredDevice): string =>
  (xaddrs.find(({ isTrusted }) => isTrusted) ?? xaddrs[0])?.url ?? '~';

function addTo(target: string[], values: readonly string[], max: number): void {
  for (const value of values) if (target.length < max && !target.includes(value)) target.push(value);
}

function notesOf({ xaddrs, senders }: DiscoveredDevice): string[] {
  const notes = xaddrs.flatMap(({ url, reason }) =>
    reason ? [`${url.slice(0, 150)} is not used: ${reason}`] : [],
  );
  if (xaddrs.length === 0) notes.push('it announces no address');
  const hosts = xaddrs.flatMap(({ url }) => (URL.canParse(url) ? [new URL(url).hostname] : []));
  const strange = senders.filter((sender) => !hosts.includes(sender));
  if (hosts.length > 0 && strange.length > 0)
    notes.push(`it answered from ${strange.join(', ')}, which it does not announce`);
  return notes;
}
