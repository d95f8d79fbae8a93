import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { AppError } from '#api/errors.ts';
import { isMediaError } from '#media/errors.ts';
import type { Log } from '#media/log.ts';
import { isSameNote } from '#media/onvif/notes.ts';
import type { Credentials } from '#media/onvif/soap.ts';
import { endpointOf } from './device-address.ts';
import type { FindingRecord } from './discovery-store.ts';
import type { Findings } from './findings.ts';
import type { Inquiry, InquiryResult } from './inquiry.ts';
import type { LearnedDevice } from './learned-device.ts';
import type { DeviceRegister } from './register.ts';
import type { DeviceNote } from './schema.ts';
import type { Act, DeviceService } from './service.ts';
import type { DeviceRecord } from './store.ts';

export interface Learning {
  /**
   * Asks findings what they are, six at a time in the background; answers arrive as findings. With no sets, a registered device is asked
   * with its stored log-in. Untrusted findings and those being asked already are left out.
   * @throws AppError not-found when one of them does not exist; nothing is asked then
   */
  request(findingIds: readonly string[], sets: readonly Credentials[], act: Act): Promise<void>;
  /** Whether a registered device that announced another address moved: asks it there with its stored log-in. */
  requestMoveCheck(finding: FindingRecord): void;
  /** Asks a registered device at its own address and brings the register up to date. Failures become warnings, never throws. */
  refresh(deviceId: string): Promise<void>;
  /** The log-in that a finding accepted within the last 30 min; it is forgotten once taken. */
  takeCredentials(findingId: string): Credentials | undefined;
  /** Gives back what was taken, when it could not be used. */
  holdCredentials(findingId: string, credentials: Credentials): void;
  /** Resolves when nothing is being asked. */
  settled(): Promise<void>;
  /** Stops asking and forgets all passwords. */
  close(): Promise<void>;
}

const concurrency = 6;
const heldMs = 30 * 60_000;
const moveCheckMs = 8_000;
const system = { actor: { system: 'discovery' } } as const;

/** Asks devices what they are and compares the answer with the register: by identity, never by address alone. */
export function createLearning(options: {
  findings: Findings;
  register: DeviceRegister;
  devices: DeviceService;
  inquiry: Inquiry;
  audit: AuditTrail;
  log: Log;
}): Learning {
  const { findings, register, devices, inquiry, audit, log } = options;
  const held = new Map<string, { credentials: Credentials; timer: NodeJS.Timeout }>();
  const asking = new Set<string>();
  const waiting: (() => Promise<void>)[] = [];
  const running = new Set<Promise<void>>();
  const controller = new AbortController();

  function hold(findingId: string, credentials: Credentials): void {
    clearTimeout(held.get(findingId)?.timer);
    const timer = setTimeout(() => held.delete(findingId), heldMs).unref();
    held.set(findingId, { credentials, timer });
  }

  function pump(): void {
    while (running.size < concurrency && !controller.signal.aborted) {
      const work = waiting.shift();
      if (!work) return;
      const done: Promise<void> = work()
        .catch((error: unknown) => {
          if (!isMediaError(error, 'cancelled')) log.error({ err: error }, 'asking a device failed');
        })
        .finally(() => {
          running.delete(done);
          pump();
        });
      running.add(done);
    }
  }

  function enqueue(findingId: string, sets: readonly Credentials[], act: Act): void {
    if (asking.has(findingId) || controller.signal.aborted) return;
    asking.add(findingId);
    waiting.push(() => learn(findingId, sets, act).finally(() => asking.delete(findingId)));
    pump();
  }

  async function learn(findingId: string, given: readonly Credentials[], act: Act): Promise<void> {
    const finding = await findings.get(findingId);
    const known = register.list().find((device) => device.id === finding.deviceId);
    const stored = given.length === 0 && known ? devices.withCredentials(known.id) : undefined;
    const asked = await findings.put(finding, { outcome: 'asking', reason: null });
    const { xaddr, endpointReference } = finding;
    const isSamePlace = known !== undefined && endpointOf(known.xaddr) === endpointOf(xaddr);
    const target = { xaddr, endpointReference, tlsFingerprint: isSamePlace ? known.tlsFingerprint : null };
    let result: InquiryResult;
    try {
      const sets = stored ? [stored] : given;
      result = await inquiry.ask(target, sets, { signal: controller.signal });
    } catch (error) {
      await findings.put(asked, { outcome: finding.outcome, reason: finding.reason });
      throw error;
    }
    if (result.outcome === 'ok') await reconcile(asked, known, result.learned, result.credentials, act);
    else await findings.put(asked, { outcome: result.outcome, reason: result.reason, learned: null });
  }

  /** Decides whose answer this is. `expected` is the device the finding was thought to be. */
  async function reconcile(
    finding: FindingRecord,
    expected: DeviceRecord | undefined,
    learned: LearnedDevice,
    credentials: Credentials | undefined,
    act: Act,
  ): Promise<void> {
    const found = register.findByIdentity(learned.identityKeys);
    const owner = found?.removedAt === null ? found : undefined;
    if (!owner) {
      if (expected && endpointOf(expected.xaddr) === endpointOf(learned.xaddr))
        await warnOfStranger(expected, learned);
      if (credentials) hold(finding.id, credentials);
      await findings.put(finding, { outcome: 'ok', reason: null, learned, deviceId: null });
      return;
    }
    const isAtHome = endpointOf(owner.xaddr) === endpointOf(learned.xaddr);
    if (!isAtHome && (await stillAnswers(owner))) {
      const reason =
        `It says it is "${owner.name}", which still answers at ${owner.host}: either one device with two addresses, ` +
        'or two devices with the same serial number. The register was left as it is.';
      await findings.put(finding, { outcome: 'registered', reason, learned, deviceId: owner.id });
      return;
    }
    await devices.applyLearned(owner.id, learned, credentials, act);
    const reason = isAtHome ? null : `It moved here from ${owner.host}; the register was updated.`;
    await findings.put(finding, { outcome: 'registered', reason, learned, deviceId: owner.id });
  }

  async function stillAnswers(owner: DeviceRecord): Promise<boolean> {
    const credentials = devices.withCredentials(owner.id);
    const result = await inquiry.ask(owner, credentials ? [credentials] : [], {
      totalMs: moveCheckMs,
      signal: controller.signal,
    });
    return result.outcome === 'ok' && result.learned.identityKeys.includes(owner.identity);
  }

  async function addNote(
    device: DeviceRecord,
    note: DeviceNote,
    state: { isSeen?: boolean } = {},
  ): Promise<void> {
    if (device.warnings.some((known) => isSameNote(known, note))) return;
    await devices.noteState(device.id, { warnings: [...device.warnings, note], ...state });
  }

  async function warnOfStranger(device: DeviceRecord, learned: LearnedDevice): Promise<void> {
    const who = [learned.manufacturer, learned.model, learned.serialNumber]
      .filter((part) => part !== null)
      .join(' ');
    await addNote(device, { code: 'stranger', values: { who: who || learned.identityKeys[0] } });
  }

  async function refreshOne(device: DeviceRecord): Promise<void> {
    const credentials = devices.withCredentials(device.id);
    const sets = credentials ? [credentials] : [];
    const result = await inquiry.ask(device, sets, { signal: controller.signal });
    if (result.outcome === 'ok') {
      const owner = register.findByIdentity(result.learned.identityKeys);
      if (owner?.id === device.id) await devices.applyLearned(device.id, result.learned, undefined, system);
      else await warnOfStranger(device, result.learned);
      return;
    }
    const isRefused = result.outcome === 'unauthorized' || result.outcome === 'locked';
    if (isRefused) await addNote(device, { code: result.outcome, values: {} }, { isSeen: true });
  }

  return {
    async request(findingIds, sets, act) {
      const asked = [];
      for (const id of new Set(findingIds)) asked.push(await findings.get(id));
      const detail = { findings: asked.length, credentialSets: sets.length };
      await audit.record({ action: 'discovery.asked', ...act, detail });
      for (const finding of asked) if (finding.outcome !== 'untrusted') enqueue(finding.id, sets, act);
    },
    requestMoveCheck: (finding) => enqueue(finding.id, [], system),
    async refresh(deviceId) {
      const device = register.find(deviceId);
      if (!device || device.removedAt !== null) return;
      try {
        await refreshOne(device);
      } catch (error) {
        const isExpected =
          isMediaError(error, 'cancelled') || (error instanceof AppError && error.code === 'not-found');
        if (!isExpected) log.error({ deviceId, err: error }, 'a device could not be refreshed');
      }
    },
    takeCredentials(findingId) {
      const entry = held.get(findingId);
      clearTimeout(entry?.timer);
      held.delete(findingId);
      return entry?.credentials;
    },
    holdCredentials: hold,
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    async close() {
      controller.abort();
      waiting.length = 0;
      await this.settled();
      for (const { timer } of held.values()) clearTimeout(timer);
      held.clear();
    },
  };
}
