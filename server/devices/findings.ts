import { toWire, type Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { DiscoveredDevice } from '#media/onvif/discovery.ts';
import { endpointOf, hostOf, isInNetworks } from './device-address.ts';
import type { FindingRecord, FindingStore } from './discovery-store.ts';
import { toLearnedView } from './learned-device.ts';
import type { DeviceRegister } from './register.ts';
import type { Finding } from './schema.ts';

/** What was seen of a device, before it is asked. */
export interface Sighting {
  readonly source: FindingRecord['source'];
  readonly endpointReference: string | null;
  readonly xaddr: string;
  readonly host: string;
  readonly name: string | null;
  readonly hardware: string | null;
  readonly location: string | null;
  /** Why it must not be contacted; null when it may. */
  readonly distrust: string | null;
}

export interface Findings {
  list(): Promise<FindingRecord[]>;
  /** @throws AppError not-found */
  get(id: string): Promise<FindingRecord>;
  /**
   * Notes a sighting: the same device (by its reference, else by its address) is the same row. `isElsewhere`: it is registered under
   * another address, so that somebody should ask it whether it moved.
   */
  note(sighting: Sighting): Promise<{ finding: FindingRecord; isElsewhere: boolean }>;
  /** Writes parts of a finding and tells everybody; a finding deleted meanwhile stays deleted. */
  put(finding: FindingRecord, change: Partial<FindingRecord>): Promise<FindingRecord>;
  /** @throws AppError not-found */
  remove(id: string): Promise<void>;
  prune(): Promise<void>;
}

const keptMs = 30 * 24 * 3600_000;

/** Keeps one row for each device anybody saw. */
export function createFindings(options: {
  store: FindingStore;
  register: DeviceRegister;
  bus: EventBus;
  now: Now;
}): Findings {
  const { store, register, bus, now } = options;

  async function put(finding: FindingRecord, change: Partial<FindingRecord>): Promise<FindingRecord> {
    const changed = { ...finding, ...change };
    await store.update(changed);
    bus.emit({ name: 'discovery.found', findingId: finding.id });
    return changed;
  }

  /** A row without a reference at this address is the same device, seen by a scan or typed before it announced itself. */
  async function findSame(key: string, sighting: Sighting): Promise<FindingRecord | undefined> {
    const byKey = await store.findByKey(key);
    if (byKey) return byKey;
    const endpoint = endpointOf(sighting.xaddr);
    const there = (await store.listByHost(sighting.host)).filter((row) => endpointOf(row.xaddr) === endpoint);
    return there.find((row) => row.endpointReference === null || sighting.endpointReference === null);
  }

  /** Whoever was at this address before and has another reference is not there any more. */
  async function displaceOthers(finding: FindingRecord): Promise<void> {
    if (finding.endpointReference === null || finding.outcome === 'untrusted') return;
    for (const other of await store.listByHost(finding.host)) {
      const isOther =
        other.id !== finding.id && other.endpointReference !== null && other.outcome !== 'untrusted';
      if (isOther && endpointOf(other.xaddr) === endpointOf(finding.xaddr))
        await put(other, {
          outcome: 'unreachable',
          reason: 'Another device now answers at this address.',
          learned: null,
        });
    }
  }

  return {
    list: () => store.list(),
    async get(id) {
      const finding = await store.find(id);
      if (!finding) throw new AppError('not-found');
      return finding;
    },

    async note(sighting) {
      const { endpointReference, xaddr, host, distrust } = sighting;
      const key = endpointReference === null ? `at:${endpointOf(xaddr)}` : `epr:${endpointReference}`;
      const before = await findSame(key, sighting);
      const device =
        (endpointReference === null ? undefined : register.findByReference(endpointReference)) ??
        register.list().find((candidate) => candidate.id === before?.deviceId) ??
        (endpointReference === null
          ? register.list().find((candidate) => endpointOf(candidate.xaddr) === endpointOf(xaddr))
          : undefined);
      const seen = {
        source: before?.source ?? sighting.source,
        host,
        xaddr,
        name: sighting.name ?? before?.name ?? null,
        hardware: sighting.hardware ?? before?.hardware ?? null,
        location: sighting.location ?? before?.location ?? null,
        endpointReference: endpointReference ?? before?.endpointReference ?? null,
        lastSeenAt: now(),
      };
      const isElsewhere =
        device !== undefined && distrust === null && endpointOf(device.xaddr) !== endpointOf(xaddr);
      // An untrusted announcement changes nothing about what is known of a device: anybody can send one.
      if (before && distrust !== null && before.outcome !== 'untrusted')
        return { finding: before, isElsewhere: false };
      const isUnchanged = before?.xaddr === xaddr && before.outcome !== 'untrusted';
      const judged =
        distrust !== null
          ? { outcome: 'untrusted' as const, reason: distrust, learned: null }
          : device && !isElsewhere
            ? {
                outcome: 'registered' as const,
                reason: before?.reason ?? null,
                learned: before?.learned ?? null,
              }
            : isUnchanged
              ? { outcome: before.outcome, reason: before.reason, learned: before.learned }
              : { outcome: 'new' as const, reason: null, learned: null };
      if (before) {
        const isUpgraded = before.endpointReference === null && endpointReference !== null;
        const change = { ...seen, ...judged, deviceId: device?.id ?? null, ...(isUpgraded ? { key } : {}) };
        const finding = await put(before, change);
        await displaceOthers(finding);
        return { finding, isElsewhere };
      }
      const finding = {
        id: newId(),
        key,
        ...seen,
        ...judged,
        deviceId: device?.id ?? null,
        firstSeenAt: now(),
      };
      await store.insert(finding);
      await displaceOthers(finding);
      bus.emit({ name: 'discovery.found', findingId: finding.id });
      return { finding, isElsewhere };
    },

    put,
    async remove(id) {
      if (!(await store.remove(id))) throw new AppError('not-found');
    },
    prune: () => store.prune(now() - keptMs),
  };
}

const distrustOutside =
  'It announced an address outside the camera networks set in the settings, so it is not contacted.';

/**
 * What an announcement says, reduced to the one address that may be used: that under which the device is registered if it is among them,
 * else the first inside the settings' networks.
 */
export function sightingOf(
  device: DiscoveredDevice,
  networks: readonly string[],
  registeredXaddr: string | undefined,
): Sighting | undefined {
  const usable = device.xaddrs.filter(
    ({ url, isTrusted }) => isTrusted && isInNetworks(hostOf(url), networks),
  );
  const registered = registeredXaddr === undefined ? undefined : endpointOf(registeredXaddr);
  const trusted = usable.find(({ url }) => endpointOf(url) === registered) ?? usable[0];
  const xaddr = (trusted ?? device.xaddrs[0])?.url.slice(0, 300);
  if (xaddr === undefined && device.endpointReference === undefined) return undefined;
  const clip = (text: string | undefined) => text?.slice(0, 120) ?? null;
  return {
    source: 'ws-discovery',
    endpointReference: device.endpointReference?.slice(0, 200) ?? null,
    xaddr: xaddr ?? '',
    host: (xaddr === undefined ? '' : hostOf(xaddr)) || (device.senders[0] ?? ''),
    name: clip(device.name),
    hardware: clip(device.hardware),
    location: clip(device.location),
    distrust: trusted ? null : xaddr === undefined ? 'It announced no address.' : distrustOutside,
  };
}

/** A finding in the form the API gives it. */
export function toFinding(record: FindingRecord): Finding {
  const { id, source, host, xaddr, name, hardware, location, outcome, reason, deviceId } = record;
  return {
    id,
    source,
    host,
    xaddr,
    name,
    hardware,
    location,
    outcome,
    reason,
    deviceId,
    learned: record.learned && toLearnedView(record.learned),
    firstSeenAt: toWire(record.firstSeenAt),
    lastSeenAt: toWire(record.lastSeenAt),
  };
}
