import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { toWire, toWireOrNull, type Now } from '#api/clock.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import { isMediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import { countAddresses, parseRange, type Ipv4Range } from '#media/onvif/cidr.ts';
import { hostOf, isInNetworks, parseTypedAddress, usualPorts } from './device-address.ts';
import type { FindingRecord } from './discovery-store.ts';
import { sightingOf, type Findings, type Sighting } from './findings.ts';
import type { Learning } from './learning.ts';
import type { OnvifPort } from './onvif-port.ts';
import type { DeviceRegister } from './register.ts';
import type { DiscoveryRequest, DiscoveryRun } from './schema.ts';
import type { Act } from './service.ts';

export interface DiscoveryService {
  /**
   * Starts a search in the background; devices arrive as findings.
   * @throws AppError discovery.busy, request.invalid (no consent, bad range), discovery.range-too-large, device.outside-networks
   */
  start(request: DiscoveryRequest, act: Act): Promise<DiscoveryRun>;
  /** The search under way, else the last one since the start of the program, else null. */
  current(): DiscoveryRun | null;
  /** Stops it and waits for its end; what was found stays. @throws AppError not-found unless it is the one under way */
  cancel(runId: string, act: Act): Promise<void>;
  /**
   * Looks for one device at a typed address, without a password. One that does not answer is a finding too, with the reason.
   * @throws AppError request.invalid, device.outside-networks
   */
  addByHand(address: string, act: Act): Promise<FindingRecord>;
  close(): Promise<void>;
}

const durationMs = 4_000;
const maxAddresses = 4096;
const progressMs = 250;
const manualTimeoutMs = 3_000;

interface Run {
  readonly id: string;
  readonly method: DiscoveryRun['method'];
  readonly controller: AbortController;
  readonly found: Set<string>;
  readonly startedAt: number;
  state: DiscoveryRun['state'];
  done: number;
  total: number | null;
  problem: string | null;
  hint: string | null;
  finishedAt: number | null;
  ended: Promise<void>;
}

/** Searches for devices, one search at a time. Contacts nothing outside the camera networks of the settings. */
export function createDiscoveryService(options: {
  onvif: OnvifPort;
  findings: Findings;
  learning: Learning;
  register: DeviceRegister;
  networks: () => readonly string[];
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Log;
}): DiscoveryService {
  const { onvif, findings, learning, register, networks, bus, audit, now, log } = options;
  let run: Run | undefined;

  const toRun = (of: Run): DiscoveryRun => ({
    id: of.id,
    method: of.method,
    state: of.state,
    done: of.done,
    total: of.total,
    found: of.found.size,
    problem: of.problem,
    hint: of.hint,
    startedAt: toWire(of.startedAt),
    finishedAt: toWireOrNull(of.finishedAt),
  });

  function tellProgress({ id, state, done, total, found }: Run): void {
    bus.emit({ name: 'discovery.progressed', runId: id, state, done, total, found: found.size });
  }

  async function noteSighting(of: Run, sighting: Sighting): Promise<void> {
    const { finding, isElsewhere } = await findings.note(sighting);
    of.found.add(finding.id);
    if (isElsewhere) learning.requestMoveCheck(finding);
    else if (finding.outcome === 'registered')
      log.debug({ deviceId: finding.deviceId }, 'a registered device answered');
    tellProgress(of);
  }

  /** Writes sightings one after another: the rows of one search must see each other. */
  function createWriter(of: Run) {
    let last: Promise<void> = Promise.resolve();
    return {
      push(sighting: Sighting | undefined) {
        if (sighting) last = last.then(() => noteSighting(of, sighting));
      },
      flush: () => last,
    };
  }

  async function listen(of: Run): Promise<void> {
    const writer = createWriter(of);
    const trusted = networks();
    const result = await onvif.discover({
      networks: trusted,
      durationMs,
      signal: of.controller.signal,
      log,
      onFound: (device) => {
        const reference = device.endpointReference;
        const registered = reference === undefined ? undefined : register.findByReference(reference);
        writer.push(sightingOf(device, trusted, registered?.xaddr));
      },
    });
    await writer.flush();
    if (of.found.size > 0) return;
    const usable = result.interfaces.filter((report) => report.probesSent > 0);
    of.hint = usable.length === 0 ? 'no-multicast' : 'no-replies';
  }

  async function scan(of: Run, ranges: readonly string[], ports: readonly number[]): Promise<void> {
    const writer = createWriter(of);
    let toldAt = 0;
    await onvif.scanRange({
      ranges,
      ports,
      signal: of.controller.signal,
      log,
      onProgress({ done, total }) {
        Object.assign(of, { done, total });
        if (now() - toldAt < progressMs) return;
        toldAt = now();
        tellProgress(of);
      },
      onFound: ({ xaddr }) => writer.push(plainSighting('scan', xaddr)),
    });
    await writer.flush();
    if (of.found.size === 0) of.hint = 'no-replies';
  }

  async function carryOut(of: Run, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      of.state = of.controller.signal.aborted ? 'cancelled' : 'done';
    } catch (error) {
      const isCancelled = isMediaError(error, 'cancelled');
      of.state = isCancelled ? 'cancelled' : 'failed';
      if (!isCancelled) {
        of.problem = isMediaError(error)
          ? error.message
          : 'The search ended early; the reason is in the log.';
        log.error({ runId: of.id, err: error }, 'a search for devices failed');
      }
    }
    of.finishedAt = now();
    tellProgress(of);
  }

  return {
    async start(request, act) {
      if (run?.state === 'running') throw new AppError('discovery.busy', { runId: run.id });
      const { method, ports = usualPorts } = request;
      const ranges = method === 'scan' ? checkedRanges(request, networks()) : [];
      const of: Run = {
        id: newId(),
        method,
        controller: new AbortController(),
        found: new Set(),
        startedAt: now(),
        state: 'running',
        done: 0,
        total: null,
        problem: null,
        hint: null,
        finishedAt: null,
        ended: Promise.resolve(),
      };
      run = of; // before anything is awaited: two clicks at once start one search
      const detail = method === 'scan' ? { method, ranges, ports } : { method };
      await audit.record({
        action: 'discovery.started',
        ...act,
        subjectType: 'discovery',
        subjectId: of.id,
        detail,
      });
      await findings.prune();
      tellProgress(of);
      of.ended = carryOut(of, () => (method === 'scan' ? scan(of, ranges, ports) : listen(of)));
      return toRun(of);
    },

    current: () => (run ? toRun(run) : null),

    async cancel(runId, act) {
      if (run?.id !== runId || run.state !== 'running') throw new AppError('not-found');
      run.controller.abort();
      await run.ended;
      await audit.record({
        action: 'discovery.cancelled',
        ...act,
        subjectType: 'discovery',
        subjectId: runId,
      });
    },

    async addByHand(address, act) {
      const typed = parseTypedAddress(address);
      if (!typed)
        throw new AppError('request.invalid', {
          fields: [
            {
              path: '/address',
              problem: 'expected 10.1.2.3, 10.1.2.3:8000 or http://10.1.2.3/onvif/device_service',
            },
          ],
        });
      if (!isInNetworks(typed.host, networks()))
        throw new AppError('device.outside-networks', { host: typed.host });
      await audit.record({
        action: 'discovery.added-by-hand',
        ...act,
        detail: { address: typed.kind === 'url' ? typed.xaddr : address },
      });
      if (typed.kind === 'url') return (await findings.note(plainSighting('manual', typed.xaddr))).finding;
      const [first] = await onvif.scanRange({
        ranges: [typed.host],
        ports: typed.ports,
        perHostTimeoutMs: manualTimeoutMs,
        log,
      });
      if (first) return (await findings.note(plainSighting('manual', first.xaddr))).finding;
      const guess = typed.ports[0] === 80 ? typed.host : `${typed.host}:${typed.ports[0]}`;
      const { finding } = await findings.note(
        plainSighting('manual', `http://${guess}/onvif/device_service`),
      );
      if (finding.outcome !== 'new') return finding;
      const reason = `No ONVIF service answers at ${typed.host}, port ${typed.ports.join(', ')}. Check power, network and that ONVIF is switched on.`;
      return findings.put(finding, { outcome: 'unreachable', reason });
    },

    async close() {
      run?.controller.abort();
      await run?.ended;
    },
  };
}

const plainSighting = (source: Sighting['source'], xaddr: string): Sighting => ({
  source,
  xaddr,
  host: hostOf(xaddr),
  endpointReference: null,
  name: null,
  hardware: null,
  location: null,
  distrust: null,
});

/** The ranges of a scan, inside the camera networks and not too many, or a refusal. */
function checkedRanges(request: DiscoveryRequest, networks: readonly string[]): readonly string[] {
  const { ranges = [], confirmScan } = request;
  const refuse = (path: string, problem: string) =>
    new AppError('request.invalid', { fields: [{ path, problem }] });
  if (ranges.length === 0) throw refuse('/ranges', 'a scan needs at least one range');
  if (confirmScan !== true)
    throw refuse('/confirmScan', 'asking every address of a range needs a confirmation');
  const allowed = networks.map(parseRange);
  const parsed: Ipv4Range[] = [];
  for (const [index, text] of ranges.entries()) {
    try {
      parsed.push(parseRange(text));
    } catch (error) {
      throw refuse(`/ranges/${index}`, isMediaError(error) ? error.message : String(error));
    }
  }
  for (const range of parsed)
    if (!allowed.some((network) => network.first <= range.first && range.last <= network.last))
      throw new AppError('device.outside-networks');
  const count = countAddresses(parsed);
  if (count > maxAddresses)
    throw new AppError('discovery.range-too-large', { addresses: count, max: maxAddresses });
  return ranges;
}
