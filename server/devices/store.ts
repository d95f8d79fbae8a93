import type { Knex } from 'knex';
import type { Db } from '#api/db/database.ts';
import type { Device, DeviceNote, StreamInfo } from './schema.ts';

/** A stream with what stays on the server. `rtspUri` has no user part. */
export interface StoredStream extends StreamInfo {
  readonly profileToken: string;
  readonly rtspUri: string;
}

/** One video source as registered. */
export interface ChannelRecord {
  readonly id: string;
  readonly deviceId: string;
  readonly sourceToken: string;
  readonly name: string;
  readonly sort: number;
  readonly placeId: string | null;
  readonly planX: number | null;
  readonly planY: number | null;
  readonly headingDeg: number | null;
  readonly fovDeg: number | null;
  readonly streams: readonly StoredStream[];
  readonly snapshotUri: string | null;
  readonly hasPtz: boolean;
  readonly isRecorded: boolean;
}

/** The log-in of one device. The password is sealed with the row's id. */
export interface CredentialRecord {
  readonly id: string;
  readonly username: string;
  readonly sealedPassword: string;
}

/** A device as registered, channels in order. Instants are epoch ms. `removedAt`: hidden, kept for its footage. */
export interface DeviceRecord {
  readonly id: string;
  readonly identity: string;
  readonly endpointReference: string | null;
  readonly kind: Device['kind'];
  readonly name: string;
  readonly host: string;
  readonly xaddr: string;
  readonly credential: CredentialRecord | null;
  readonly tlsFingerprint: string | null;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly firmwareVersion: string | null;
  readonly serialNumber: string | null;
  readonly hardwareId: string | null;
  readonly mac: string | null;
  readonly clockSkewMs: number | null;
  readonly clockCheckedAt: number | null;
  readonly isEnabled: boolean;
  readonly warnings: readonly DeviceNote[];
  readonly placeId: string | null;
  readonly lastSeenAt: number | null;
  readonly removedAt: number | null;
  readonly channels: readonly ChannelRecord[];
}

/** What can be written of a device; its credential and channels have their own calls. */
export type DeviceFields = Omit<DeviceRecord, 'id' | 'credential' | 'channels'>;
export type ChannelFields = Omit<ChannelRecord, 'id' | 'deviceId' | 'sourceToken'>;

interface Row {
  [column: string]: unknown;
}

const deviceColumns: Readonly<Record<keyof DeviceFields, string>> = {
  identity: 'identity',
  endpointReference: 'endpoint_reference',
  kind: 'kind',
  name: 'name',
  host: 'host',
  xaddr: 'xaddr',
  tlsFingerprint: 'tls_fingerprint',
  manufacturer: 'manufacturer',
  model: 'model',
  firmwareVersion: 'firmware_version',
  serialNumber: 'serial_number',
  hardwareId: 'hardware_id',
  mac: 'mac',
  clockSkewMs: 'clock_skew_ms',
  clockCheckedAt: 'clock_checked_at',
  isEnabled: 'is_enabled',
  warnings: 'warnings_json',
  placeId: 'place_id',
  lastSeenAt: 'last_seen_at',
  removedAt: 'removed_at',
};
const channelColumns: Readonly<Record<keyof ChannelFields, string>> = {
  name: 'name',
  sort: 'sort',
  placeId: 'place_id',
  planX: 'plan_x',
  planY: 'plan_y',
  headingDeg: 'heading_deg',
  fovDeg: 'fov_deg',
  streams: 'streams_json',
  snapshotUri: 'snapshot_uri',
  hasPtz: 'has_ptz',
  isRecorded: 'is_recorded',
};

/** By the name of the column: `is_`/`has_` are 0/1, `_json` is JSON text, everything else is as it is. */
function toRow(fields: object, columns: Readonly<Record<string, string>>): Row {
  const entries = Object.entries(fields).flatMap(([key, value]): [string, unknown][] => {
    const column = columns[key];
    if (column === undefined || value === undefined) return [];
    if (column.endsWith('_json')) return [[column, JSON.stringify(value)]];
    return [[column, typeof value === 'boolean' ? Number(value) : value]];
  });
  return Object.fromEntries(entries);
}

function fromRow(row: Row, columns: Readonly<Record<string, string>>): Row {
  return Object.fromEntries(
    Object.entries(columns).map(([key, column]) => {
      const value = row[column];
      if (column.endsWith('_json')) return [key, JSON.parse(value as string)];
      return [key, /^(is|has)_/.test(column) ? value === 1 : value];
    }),
  );
}

const toChannel = (row: Row): ChannelRecord =>
  ({
    ...fromRow(row, channelColumns),
    id: row.id,
    deviceId: row.device_id,
    sourceToken: row.source_token,
  }) as unknown as ChannelRecord;

function toDevice(row: Row, channels: readonly ChannelRecord[]): DeviceRecord {
  const credential =
    row.credential_id === null
      ? null
      : { id: row.credential_id, username: row.username, sealedPassword: row.sealed_password };
  return { ...fromRow(row, deviceColumns), id: row.id, credential, channels } as unknown as DeviceRecord;
}

/** Queries of devices, channels and credentials. Lists come by name, channels in the order of the device. */
export function createDeviceStore(db: Knex) {
  const devices = (trx: Db) =>
    trx('devices')
      .leftJoin('credentials', 'credentials.id', 'devices.credential_id')
      .select('devices.*', 'credentials.username', 'credentials.sealed_password');

  return {
    /** All, removed ones too. */
    async list(trx: Db = db): Promise<DeviceRecord[]> {
      const rows: Row[] = await devices(trx).orderBy(['devices.name', 'devices.id']);
      const channelRows: Row[] = await trx('channels').orderBy(['sort', 'id']);
      const byDevice = Map.groupBy(channelRows.map(toChannel), (channel) => channel.deviceId);
      return rows.map((row) => toDevice(row, byDevice.get(row.id as string) ?? []));
    },

    async find(id: string, trx: Db = db): Promise<DeviceRecord | undefined> {
      const row: Row | undefined = await devices(trx).where('devices.id', id).first();
      if (!row) return undefined;
      const channels: Row[] = await trx('channels').where({ device_id: id }).orderBy(['sort', 'id']);
      return toDevice(row, channels.map(toChannel));
    },

    async insert(id: string, fields: DeviceFields, at: number, trx: Db = db): Promise<void> {
      await trx('devices').insert({ id, ...toRow(fields, deviceColumns), created_at: at, updated_at: at });
    },

    async update(id: string, fields: Partial<DeviceFields>, at: number, trx: Db = db): Promise<void> {
      await trx('devices')
        .where({ id })
        .update({ ...toRow(fields, deviceColumns), updated_at: at });
    },

    async insertChannel(
      channel: Pick<ChannelRecord, 'id' | 'deviceId' | 'sourceToken'> & ChannelFields,
      at: number,
      trx: Db = db,
    ): Promise<void> {
      await trx('channels').insert({
        ...toRow(channel, channelColumns),
        id: channel.id,
        device_id: channel.deviceId,
        source_token: channel.sourceToken,
        created_at: at,
        updated_at: at,
      });
    },

    async updateChannel(id: string, fields: Partial<ChannelFields>, at: number, trx: Db = db): Promise<void> {
      await trx('channels')
        .where({ id })
        .update({ ...toRow(fields, channelColumns), updated_at: at });
    },

    /** Gives the device this log-in and drops the one it had. */
    async putCredential(
      deviceId: string,
      credential: CredentialRecord,
      at: number,
      trx: Db = db,
    ): Promise<void> {
      const before: Row | undefined = await trx('devices').where({ id: deviceId }).first('credential_id');
      await trx('credentials').insert({
        id: credential.id,
        label: `device ${deviceId}`,
        username: credential.username,
        sealed_password: credential.sealedPassword,
        created_at: at,
        updated_at: at,
      });
      await trx('devices').where({ id: deviceId }).update({ credential_id: credential.id, updated_at: at });
      if (before?.credential_id) await trx('credentials').where({ id: before.credential_id }).delete();
    },

    /** Whether recordings, exports or holds point to one of its channels. */
    async hasFootage(deviceId: string, trx: Db = db): Promise<boolean> {
      const channels = trx('channels').where({ device_id: deviceId }).select('id');
      for (const table of ['segments', 'exports', 'footage_holds'])
        if (await trx(table).whereIn('channel_id', channels.clone()).first('id')) return true;
      return false;
    },

    /** Deletes the device with channels and log-in. Fails on the foreign key while footage points to it. */
    async remove(device: Pick<DeviceRecord, 'id' | 'credential'>, trx: Db = db): Promise<void> {
      await trx('devices').where({ id: device.id }).delete();
      if (device.credential) await trx('credentials').where({ id: device.credential.id }).delete();
    },
  };
}
export type DeviceStore = ReturnType<typeof createDeviceStore>;
