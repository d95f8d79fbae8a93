import type { Fleet } from '../devices/fleet.ts';
import { placeName } from './place-name.ts';
import { m } from '../../paraglide/messages.js';

/** Every place as a choice, indented by its depth, with "no place" first. */
export function placeOptions(fleet: Fleet): { value: string; label: string }[] {
  const options: { value: string; label: string }[] = [{ value: '', label: m.discovery_no_place() }];
  const add = (parentId: string | null, depth: number) => {
    for (const place of fleet.childrenOf(parentId)) {
      options.push({ value: place.id, label: `${'\u3000'.repeat(depth)}${placeName(place)}` });
      add(place.id, depth + 1);
    }
  };
  add(null, 0);
  return options;
}
