import { placeName, type Fleet } from '../devices/fleet.ts';
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

/**
 * The place a device most likely stands at, from what it says of itself: the deepest place whose name is in its location or name. Several equally
 * good ones give none: a wrong proposal is worse than no proposal.
 */
export function proposePlace(fleet: Fleet, told: readonly (string | null)[]): string {
  const text = told.filter((part) => part !== null).join(' ');
  if (text === '') return '';
  const scored = fleet.places
    .filter((place) => text.includes(place.name))
    .map((place) => {
      const named = fleet.pathTo(place.id).filter((step) => text.includes(step.name));
      return { place, score: named.reduce((sum, step) => sum + step.name.length, 0) };
    })
    .toSorted((a, b) => b.score - a.score);
  const [best, second] = scored;
  return best && best.score !== second?.score ? best.place.id : '';
}
