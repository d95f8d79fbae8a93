import type { Channel, Device } from '#api/devices/schema.ts';
import type { Place } from '#api/sites/schema.ts';

/** Every camera with its device and where it is: what map, tree, wall and archive share. Built afresh after each change. */
export class Fleet {
  readonly devices: readonly Device[];
  readonly places: readonly Place[];
  readonly channels: readonly Channel[];
  readonly #deviceById: ReadonlyMap<string, Device>;
  readonly #channelById: ReadonlyMap<string, Channel>;
  readonly #placeById: ReadonlyMap<string, Place>;
  readonly #children = new Map<string | null, Place[]>();
  readonly #channelsAt = new Map<string | null, Channel[]>();

  constructor(devices: readonly Device[], places: readonly Place[]) {
    this.devices = devices;
    this.places = places;
    const enabled = devices.filter((device) => device.isEnabled);
    this.channels = enabled.flatMap((device) => device.channels);
    this.#deviceById = new Map(devices.map((device) => [device.id, device]));
    this.#channelById = new Map(this.channels.map((channel) => [channel.id, channel]));
    this.#placeById = new Map(places.map((place) => [place.id, place]));
    for (const place of places) add(this.#children, place.parentId, place);
    for (const list of this.#children.values())
      list.sort((a, b) => a.sort - b.sort || a.name.localeCompare(b.name, 'zh-CN', { numeric: true }));
    for (const channel of this.channels) {
      const isKnown = channel.placeId !== null && this.#placeById.has(channel.placeId);
      add(this.#channelsAt, isKnown ? channel.placeId : null, channel);
    }
    for (const list of this.#channelsAt.values())
      list.sort((a, b) => a.name.localeCompare(b.name, 'zh-CN', { numeric: true }));
  }

  device(id: string): Device | undefined {
    return this.#deviceById.get(id);
  }

  channel(id: string): Channel | undefined {
    return this.#channelById.get(id);
  }

  place(id: string | null): Place | undefined {
    return id === null ? undefined : this.#placeById.get(id);
  }

  /** Places directly inside `parentId`; null for the topmost. */
  childrenOf(parentId: string | null): readonly Place[] {
    return this.#children.get(parentId) ?? [];
  }

  /** Channels standing directly at a place; null for those that have none. */
  channelsAt(placeId: string | null): readonly Channel[] {
    return this.#channelsAt.get(placeId) ?? [];
  }

  /** Channels at a place and everywhere inside it. */
  channelsUnder(placeId: string): readonly Channel[] {
    return [
      ...this.channelsAt(placeId),
      ...this.childrenOf(placeId).flatMap((child) => this.channelsUnder(child.id)),
    ];
  }

  /** From the topmost place down to `placeId`, itself included. */
  pathTo(placeId: string | null): readonly Place[] {
    const path: Place[] = [];
    for (let place = this.place(placeId); place; place = this.place(place.parentId)) path.unshift(place);
    return path;
  }

  /** The nearest place at or above `placeId` that has a plan: the one a channel's plan position refers to. */
  planOf(placeId: string | null): Place | undefined {
    return this.pathTo(placeId).findLast((place) => place.plan !== null);
  }

  /** Channels that stand on the plan of `holder`, positioned or not. */
  channelsOnPlan(holder: Place): readonly Channel[] {
    return this.channels.filter((channel) => this.planOf(channel.placeId)?.id === holder.id);
  }
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
