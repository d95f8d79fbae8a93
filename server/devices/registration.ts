import { AppError } from '#api/errors.ts';
import type { Findings } from './findings.ts';
import type { FindingStore } from './discovery-store.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Learning } from './learning.ts';
import type { RegisterRequest, RegisterResult } from './schema.ts';
import type { Act, DeviceService } from './service.ts';

export interface Registration {
  /** Takes learned findings into the register. One that cannot be taken in hinders no other; repeating it is safe. */
  register(request: RegisterRequest, act: Act): Promise<RegisterResult>;
}

/** The last step of the wizard: from findings to devices. */
export function createRegistration(options: {
  findings: Findings;
  store: FindingStore;
  devices: DeviceService;
  learning: Learning;
  bus: EventBus;
}): Registration {
  const { findings, store, devices, learning, bus } = options;
  let turn: Promise<unknown> = Promise.resolve();

  async function registerOne(item: RegisterRequest['items'][number], act: Act): Promise<string> {
    const finding = await findings.get(item.findingId);
    if (finding.outcome === 'registered' && finding.deviceId !== null) return finding.deviceId;
    const { learned } = finding;
    if (finding.outcome !== 'ok' || !learned)
      throw new AppError('conflict', { reason: 'The device has not been asked successfully yet.' });
    const credentials = learning.takeCredentials(finding.id);
    if (learned.wantsPassword && !credentials)
      throw new AppError('device.unauthorized', {
        reason: 'Its password was held for 30 minutes only. Ask the device again, then register it.',
      });
    const name =
      item.name ?? finding.name ?? ([learned.model, learned.host].filter(Boolean).join(' ') || finding.host);
    try {
      return await devices.register(
        { learned, credentials, name: name.slice(0, 80), placeId: item.placeId ?? null },
        act,
        (deviceId, trx) => store.update({ ...finding, outcome: 'registered', reason: null, deviceId }, trx),
      );
    } catch (error) {
      if (credentials) learning.holdCredentials(finding.id, credentials);
      throw error;
    }
  }

  async function registerAll({ items }: RegisterRequest, act: Act): Promise<RegisterResult> {
    const result: RegisterResult = { registered: [], failed: [] };
    for (const item of items) {
      const { findingId } = item;
      try {
        result.registered.push({ findingId, deviceId: await registerOne(item, act) });
        bus.emit({ name: 'discovery.found', findingId });
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        result.failed.push({ findingId, code: error.code, reason: reasonOf(error) });
      }
    }
    return result;
  }

  return {
    register(request, act) {
      // One after another, so that two people cannot take in the same device at once.
      const mine = turn.then(() => registerAll(request, act));
      turn = mine.catch(() => undefined); // told to whoever asked
      return mine;
    },
  };
}

function reasonOf({ details, message }: AppError): string {
  if (typeof details?.reason === 'string') return details.reason;
  if (typeof details?.name === 'string')
    return `It says it is "${details.name}" at ${String(details.host)}, which is registered already.`;
  return message;
}
