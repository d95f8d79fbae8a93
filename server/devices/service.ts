import type { Knex } from 'knex';
import type { AuditFact, AuditTrail } from '#api/auth/audit-trail.ts';
import type { SecretBox } from '#api/auth/secret-box.ts';
import type { Now } from '#api/clock.ts';
import { inTransaction, type Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Credentials } from '#media/onvif/soap.ts';
import { hostOf, isInNetworks, parseTypedAddress } from './device-address.ts';
import { learnedFields, matchChannels, type LearnedDevice } from './learned-device.ts';
import type { DeviceRegister } from './register.ts';
import type { ChannelChange, DeviceChange, DeviceNote } from './schema.ts';
import type { ChannelRecord, DeviceRecord, DeviceStore } from './store.ts';

/** Who asks, for the trail. */
export type Act = Pick<AuditFact, 'actor' | 'request'>;

export interface NewDevice {
  readonly learned: LearnedDevice;
  readonly credentials: Credentials | undefined;
  readonly name: string;
  readonly placeId: string | null;
}

export interface DeviceService {
  /** Removed ones too. @throws AppError not-found */
  get(deviceId: string): DeviceRecord;
  /**
   * Takes a device in, or back in when it was removed before (its channels keep their ids and footage). `also` runs in the same
   * transaction with the new id.
   * @throws AppError conflict when a present device has this identity; request.invalid when the place is unknown
   */
  register(device: NewDevice, act: Act, also?: (deviceId: string, trx: Db) => Promise<void>): Promise<string>;
  /** @throws AppError not-found, request.invalid (place), device.outside-networks (address) */
  change(deviceId: string, change: DeviceChange, act: Act): Promise<DeviceRecord>;
  /** @throws AppError not-found, request.invalid (place) */
  changeChannel(channelId: string, change: ChannelChange, act: Act): Promise<ChannelRecord>;
  /**
   * Takes a device out. With footage, exports or holds it is only hidden and switched off, since those must stay findable; without, it is
   * deleted. @throws AppError not-found
   */
  remove(deviceId: string, act: Act): Promise<'hidden' | 'deleted'>;
  /**
   * Brings a device up to date with what it says now: facts, address, channels (new ones are added, missing ones stay and are warned
   * of) and, when given, the log-in that worked.
   */
  applyLearned(
    deviceId: string,
    learned: LearnedDevice,
    credentials: Credentials | undefined,
    act: Act,
  ): Promise<void>;
  /** Replaces the warnings and, when it answered, notes that it was seen. */
  noteState(deviceId: string, state: { warnings?: readonly DeviceNote[]; isSeen?: boolean }): Promise<void>;
  /** The opened log-in, for calls to the device only: never log or answer it. Undefined: it has none. @throws AppError not-found */
  withCredentials(deviceId: string): Credentials | undefined;
}

/** The rules of the register. Every change is on the trail in the same transaction, then in memory, then told. */
export function createDeviceService(options: {
  db: Knex;
  store: DeviceStore;
  register: DeviceRegister;
  secrets: SecretBox;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  networks: () => readonly string[];
  hasPlace: (id: string) => Promise<boolean>;
}): DeviceService {
  const { db, store, register, secrets, bus, audit, now, networks, hasPlace } = options;

  function get(deviceId: string): DeviceRecord {
    const device = register.find(deviceId);
    if (!device) throw new AppError('not-found');
    return device;
  }

  async function assertPlace(placeId: string | null | undefined): Promise<void> {
    if (placeId && !(await hasPlace(placeId)))
      throw new AppError('request.invalid', {
        fields: [{ path: '/placeId', problem: 'there is no such place' }],
      });
  }

  async function recorded(
    deviceId: string,
    fact: Omit<AuditFact, 'actor'> | undefined,
    act: Act,
    work: (trx: Knex.Transaction) => Promise<void>,
  ) {
    await inTransaction(db, async (trx) => {
      await work(trx);
      if (fact) await audit.record({ subjectType: 'device', subjectId: deviceId, ...fact, ...act }, trx);
    });
    await register.reload(deviceId);
    bus.emit({ name: 'device.changed', deviceId });
  }

  async function putCredential(
    deviceId: string,
    { username, password }: Credentials,
    trx: Db,
  ): Promise<void> {
    const id = newId();
    await store.putCredential(
      deviceId,
      { id, username, sealedPassword: secrets.seal(password, id) },
      now(),
      trx,
    );
  }

  /** Adds channels the device has newly and refreshes the known ones; names and places that people gave stay. */
  async function putChannels(
    device: { id: string; name: string; placeId: string | null },
    known: readonly ChannelRecord[],
    learned: LearnedDevice,
    trx: Db,
  ) {
    const { kept, added, missing } = matchChannels(known, learned.channels);
    for (const { before, now: seen } of kept)
      await store.updateChannel(
        before.id,
        { streams: seen.streams, snapshotUri: seen.snapshotUri, hasPtz: seen.hasPtz },
        now(),
        trx,
      );
    const isOnly = known.length + added.length === 1;
    for (const [index, channel] of added.entries()) {
      const number = known.length + index + 1;
      const { streams, snapshotUri, hasPtz, sourceToken } = channel;
      const name = isOnly ? device.name : (channel.name ?? `${device.name} ${number}`);
      const place = { placeId: device.placeId, planX: null, planY: null, headingDeg: null, fovDeg: null };
      const fields = { ...place, name, sort: number, streams, snapshotUri, hasPtz, isRecorded: true };
      await store.insertChannel({ id: newId(), deviceId: device.id, sourceToken, ...fields }, now(), trx);
    }
    return missing.map((channel): DeviceNote => ({
      code: 'channel-missing',
      values: { source: channel.sourceToken, name: channel.name },
    }));
  }

  return {
    get,

    async register({ learned, credentials, name, placeId }, act, also) {
      await assertPlace(placeId);
      const before = register.findByIdentity(learned.identityKeys);
      if (before && before.removedAt === null)
        throw new AppError('conflict', { deviceId: before.id, name: before.name, host: before.host });
      const id = before?.id ?? newId();
      const fields = {
        ...learnedFields(learned, now(), before),
        identity: learned.identityKeys[0],
        name,
        isEnabled: true,
        placeId,
        removedAt: null,
      };
      const detail = {
        name,
        host: learned.host,
        identity: fields.identity,
        placeId,
        hasPassword: credentials !== undefined,
      };
      await recorded(id, { action: 'device.registered', detail }, act, async (trx) => {
        if (before) await store.update(id, fields, now(), trx);
        else await store.insert(id, { ...fields, warnings: [] }, now(), trx);
        const missing = await putChannels({ id, name, placeId }, before?.channels ?? [], learned, trx);
        await store.update(id, { warnings: [...learned.warnings, ...missing] }, now(), trx);
        if (credentials) await putCredential(id, credentials, trx);
        await also?.(id, trx);
      });
      return id;
    },

    async change(deviceId, change, act) {
      const device = get(deviceId);
      const { credentials, xaddr, ...plain } = change;
      await assertPlace(change.placeId);
      const moved = xaddr === undefined ? {} : movedFields(xaddr, networks());
      const fields = { ...plain, ...moved };
      const keys = Object.keys(fields) as (keyof typeof fields)[];
      const detail = {
        ...Object.fromEntries(keys.map((key) => [key, { from: device[key], to: fields[key] }])),
        ...(credentials ? { isPasswordChanged: true } : {}),
      };
      await recorded(deviceId, { action: 'device.changed', detail }, act, async (trx) => {
        await store.update(deviceId, fields, now(), trx);
        if (credentials) await putCredential(deviceId, credentials, trx);
      });
      return get(deviceId);
    },

    async changeChannel(channelId, change, act) {
      const found = register.findChannel(channelId);
      if (!found) throw new AppError('not-found');
      await assertPlace(change.placeId);
      const keys = Object.keys(change) as (keyof ChannelChange)[];
      const detail = Object.fromEntries(
        keys.map((key) => [key, { from: found.channel[key], to: change[key] }]),
      );
      const fact = { action: 'channel.changed', subjectType: 'channel', subjectId: channelId, detail };
      await recorded(found.device.id, fact, act, (trx) => store.updateChannel(channelId, change, now(), trx));
      return register.findChannel(channelId)?.channel ?? found.channel;
    },

    async remove(deviceId, act) {
      const device = get(deviceId);
      if (device.removedAt !== null) throw new AppError('not-found');
      let how: 'hidden' | 'deleted' = 'deleted';
      await inTransaction(db, async (trx) => {
        if (await store.hasFootage(deviceId, trx)) {
          how = 'hidden';
          await store.update(deviceId, { isEnabled: false, removedAt: now() }, now(), trx);
        } else await store.remove(device, trx);
        const detail = { name: device.name, host: device.host, how };
        await audit.record(
          { action: 'device.removed', ...act, subjectType: 'device', subjectId: deviceId, detail },
          trx,
        );
      });
      await register.reload(deviceId);
      bus.emit({ name: 'device.removed', deviceId });
      return how;
    },

    async applyLearned(deviceId, learned, credentials, act) {
      const device = get(deviceId);
      const known = this.withCredentials(deviceId);
      const isNewLogin =
        credentials !== undefined &&
        (known?.username !== credentials.username || known.password !== credentials.password);
      const isMoved = device.xaddr !== learned.xaddr;
      const strongest = learned.identityKeys[0];
      const owner = register.findByIdentity([strongest]);
      const fields = {
        ...learnedFields(learned, now(), device),
        // A key that is stronger than the one it was known by takes over, unless somebody else has it.
        identity: owner && owner.id !== deviceId ? device.identity : strongest,
      };
      const { added } = matchChannels(device.channels, learned.channels);
      const isOtherFirmware = device.firmwareVersion !== learned.firmwareVersion;
      const detail = {
        ...(isMoved ? { from: device.xaddr, to: learned.xaddr } : {}),
        ...(isNewLogin ? { isPasswordChanged: true } : {}),
        ...(isOtherFirmware
          ? { firmware: { from: device.firmwareVersion, to: learned.firmwareVersion } }
          : {}),
        ...(added.length > 0 ? { addedChannels: added.length } : {}),
      };
      // The refresh every few hours is worth a row only when it found something.
      const isWorthRow = Object.keys(detail).length > 0 || 'userId' in act.actor;
      const fact = isWorthRow ? { action: isMoved ? 'device.moved' : 'device.refreshed', detail } : undefined;
      const work = async (trx: Db) => {
        const missing = await putChannels(device, device.channels, learned, trx);
        const moved: DeviceNote[] = isMoved ? [{ code: 'moved', values: { from: device.host } }] : [];
        const warnings = [...learned.warnings, ...missing, ...moved];
        await store.update(deviceId, { ...fields, warnings }, now(), trx);
        if (isNewLogin) await putCredential(deviceId, credentials, trx);
      };
      await recorded(deviceId, fact, act, work);
    },

    async noteState(deviceId, { warnings, isSeen }) {
      const fields = { ...(warnings ? { warnings } : {}), ...(isSeen ? { lastSeenAt: now() } : {}) };
      await store.update(deviceId, fields, now());
      await register.reload(deviceId);
      bus.emit({ name: 'device.changed', deviceId });
    },

    withCredentials(deviceId) {
      const { credential } = get(deviceId);
      if (!credential) return undefined;
      const { id, username, sealedPassword } = credential;
      return { username, password: secrets.open(sealedPassword, id) };
    },
  };
}

function movedFields(xaddr: string, networks: readonly string[]): { xaddr: string; host: string } {
  const typed = parseTypedAddress(xaddr);
  if (typed?.kind !== 'url')
    throw new AppError('request.invalid', {
      fields: [{ path: '/xaddr', problem: 'expected http://10.1.2.3/onvif/device_service' }],
    });
  if (!isInNetworks(typed.host, networks))
    throw new AppError('device.outside-networks', { host: typed.host });
  return { xaddr: typed.xaddr, host: hostOf(typed.xaddr) };
}
