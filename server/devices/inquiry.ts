import { createHash } from 'node:crypto';
import type { Now } from '#api/clock.ts';
import type { LearnOutcome } from '#media/onvif/learn.ts';
import type { Credentials, RefusalBudget } from '#media/onvif/soap.ts';
import type { Log } from '#media/log.ts';
import { hostOf, isInNetworks } from './device-address.ts';
import { toLearnedDevice, type LearnedDevice } from './learned-device.ts';
import type { OnvifPort } from './onvif-port.ts';

/** How asking a device ended. `credentials` is the set it accepted; undefined when it wants none. */
export type InquiryResult =
  | { readonly outcome: 'ok'; readonly learned: LearnedDevice; readonly credentials: Credentials | undefined }
  | { readonly outcome: Exclude<LearnOutcome, 'ok'> | 'untrusted'; readonly reason: string };

export interface InquiryTarget {
  readonly xaddr: string;
  readonly tlsFingerprint?: string | null;
  readonly endpointReference?: string | null;
}

export interface Inquiry {
  /**
   * Asks the device at `target` what it is, trying `sets` in order. A host sees at most two refused log-ins in ten minutes, whoever asks
   * and however often; a set it refused within that time is not shown to it again. One conversation with a host at a time.
   * @throws MediaError 'cancelled' when `signal` is aborted
   */
  ask(
    target: InquiryTarget,
    sets: readonly Credentials[],
    options?: { totalMs?: number; signal?: AbortSignal },
  ): Promise<InquiryResult>;
  /** The refusals this host may still see; shared with snapshots and PTZ. */
  budgetFor(host: string): RefusalBudget;
}

/** Cameras lock an account after three to five wrong passwords, most for 5 to 30 minutes. */
const maxRefusals = 2;
const refusalMemoryMs = 10 * 60_000;
const maxHosts = 20_000;

interface HostMemory {
  readonly budget: RefusalBudget;
  usedAt: number;
  readonly refusedSets: Map<string, number>;
  last: Promise<unknown>;
}

/** Makes the one place from which devices are asked with passwords. Everything it remembers is in memory and without passwords. */
export function createInquiry(options: {
  onvif: OnvifPort;
  networks: () => readonly string[];
  now: Now;
  log: Log;
}): Inquiry {
  const { onvif, networks, now, log } = options;
  const hosts = new Map<string, HostMemory>();

  function memoryOf(host: string): HostMemory {
    const known = hosts.get(host);
    if (known && now() - known.usedAt >= refusalMemoryMs && known.budget.left < maxRefusals)
      known.budget.left = maxRefusals;
    const memory = known ?? {
      budget: { left: maxRefusals, max: maxRefusals },
      usedAt: now(),
      refusedSets: new Map<string, number>(),
      last: Promise.resolve(),
    };
    if (memory.budget.left > 0) memory.usedAt = now();
    if (!known && hosts.size >= maxHosts) hosts.delete(hosts.keys().next().value ?? '');
    hosts.set(host, memory);
    return memory;
  }

  async function converse(
    host: string,
    target: InquiryTarget,
    sets: readonly Credentials[],
    { totalMs, signal }: { totalMs?: number; signal?: AbortSignal },
  ): Promise<InquiryResult> {
    const memory = memoryOf(host);
    const isFresh = (set: Credentials) => {
      const refusedAt = memory.refusedSets.get(fingerprintOf(set));
      return refusedAt === undefined || now() - refusedAt >= refusalMemoryMs;
    };
    const fresh = sets.filter(isFresh);
    if (sets.length > 0 && memory.budget.left <= 0) return { outcome: 'unauthorized', reason: spent };
    if (sets.length > 0 && fresh.length === 0) return { outcome: 'unauthorized', reason: alreadyRefused };

    const at = now();
    const { outcome, reason, facts } = await onvif.learnDevice(
      { xaddr: target.xaddr, tlsFingerprint: target.tlsFingerprint ?? undefined },
      {
        credentialSets: fresh,
        budget: memory.budget,
        networks: [...networks()],
        endpointReference: target.endpointReference ?? undefined,
        totalMs,
        signal,
        log,
      },
    );
    for (const set of fresh.slice(0, facts.refusedSets)) memory.refusedSets.set(fingerprintOf(set), now());
    if (outcome !== 'ok') {
      const isSpent = outcome === 'unauthorized' && fresh.length > 0 && memory.budget.left <= 0;
      return { outcome, reason: isSpent ? spent : reason };
    }
    const endpointReference = target.endpointReference ?? null;
    return {
      outcome,
      learned: toLearnedDevice(facts, { endpointReference, at }),
      credentials: fresh[facts.credentialSetIndex ?? -1],
    };
  }

  return {
    budgetFor: (host) => memoryOf(host).budget,
    async ask(target, sets, askOptions = {}) {
      const host = hostOf(target.xaddr);
      if (!isInNetworks(host, networks())) return { outcome: 'untrusted', reason: outside };
      const memory = memoryOf(host);
      const turn = memory.last.then(() => converse(host, target, sets, askOptions));
      memory.last = turn.catch((error: unknown) => log.debug({ host, err: error }, 'an inquiry ended early'));
      return turn;
    },
  };
}

const outside = 'The address is outside the camera networks set in the settings, so it is not contacted.';
const spent =
  'Two log-ins were refused. So that the account is not locked, the device is not asked again for ten minutes.';
const alreadyRefused =
  'The device has just refused these user names and passwords; they are not tried again for ten minutes.';

/** Tells sets apart without keeping them. */
function fingerprintOf({ username, password }: Credentials): string {
  return createHash('sha256')
    .update(JSON.stringify([username, password]))
    .digest('base64');
}
