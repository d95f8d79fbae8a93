import type { ChannelRecord, DeviceRecord, DeviceStore } from './store.ts';

/** The register in memory, always as the database has it: it answers every stream start and every look at the list. */
export interface DeviceRegister {
  /** By name; without the removed ones. */
  list(): readonly DeviceRecord[];
  listRemoved(): readonly DeviceRecord[];
  /** Removed ones too: their footage is still there. */
  find(deviceId: string): DeviceRecord | undefined;
  findChannel(
    channelId: string,
  ): { readonly device: DeviceRecord; readonly channel: ChannelRecord } | undefined;
  /** The device known by the strongest of these identity keys; removed ones too. */
  findByIdentity(keys: readonly string[]): DeviceRecord | undefined;
  findByReference(endpointReference: string): DeviceRecord | undefined;
  /** Reads one device again after it was written. */
  reload(deviceId: string): Promise<void>;
}

/** Loads all devices once; whoever writes one calls `reload` after the commit. */
export async function createDeviceRegister(store: DeviceStore): Promise<DeviceRegister> {
  const devices = new Map<string, DeviceRecord>();
  const byChannel = new Map<string, string>();
  let ordered: { present: DeviceRecord[]; removed: DeviceRecord[] } | undefined;

  function keep(device: DeviceRecord): void {
    devices.set(device.id, device);
    for (const channel of device.channels) byChannel.set(channel.id, device.id);
    ordered = undefined;
  }
  for (const device of await store.list()) keep(device);

  let last: Promise<unknown> = Promise.resolve();

  /** The old row stays until the new one is here: a device that is missing for a moment would stop being recorded. */
  async function read(id: string): Promise<void> {
    const device = await store.find(id);
    for (const channel of devices.get(id)?.channels ?? []) byChannel.delete(channel.id);
    devices.delete(id);
    ordered = undefined;
    if (device) keep(device);
  }

  function inOrder() {
    if (!ordered) {
      const all = [...devices.values()].toSorted(
        (a, b) => a.name.localeCompare(b.name, 'zh-CN', { numeric: true }) || a.id.localeCompare(b.id),
      );
      ordered = {
        present: all.filter((device) => device.removedAt === null),
        removed: all.filter((device) => device.removedAt !== null),
      };
    }
    return ordered;
  }

  return {
    list: () => inOrder().present,
    listRemoved: () => inOrder().removed,
    find: (id) => devices.get(id),
    findChannel(id) {
      const device = devices.get(byChannel.get(id) ?? '');
      const channel = device?.channels.find((candidate) => candidate.id === id);
      return device && channel ? { device, channel } : undefined;
    },
    findByIdentity(keys) {
      const all = [...devices.values()];
      for (const key of keys) {
        const found = all.find((device) => device.identity === key);
        if (found) return found;
      }
      return undefined;
    },
    findByReference: (reference) =>
      inOrder().present.find((device) => device.endpointReference === reference),
    reload(id) {
      // One after the other, so that what was read last is what stays.
      const reloading = last.then(() => read(id));
      last = reloading.catch(() => undefined);
      return reloading;
    },
  };
}
