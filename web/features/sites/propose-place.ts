import type { Fleet } from '../devices/fleet.ts';

/**
 * The place a device most likely stands at, from its name and the location it gives: a place whose name shares at least two characters in a
 * row with that text, better the less of its name is left over and the more the places above fit. Several equally good ones give none: a wrong proposal is worse than none.
 */
export function proposePlace(fleet: Fleet, told: readonly (string | null)[]): string {
  const text = told.filter((part) => part !== null).join(' ');
  const scored = fleet.places
    .map((place) => {
      const own = longestShared(place.name, text);
      const above = fleet.pathTo(place.id).slice(0, -1);
      const around = above.reduce((sum, step) => sum + sharedCharacters(step.name, text), 0);
      return { place, score: own < 2 ? 0 : own * 10 + around - (place.name.length - own) * 3 };
    })
    .toSorted((a, b) => b.score - a.score);
  const [best, second] = scored;
  return best && best.score > 0 && best.score !== second?.score ? best.place.id : '';
}

/** Length of the longest stretch of `a` that is in `b`. */
function longestShared(a: string, b: string): number {
  for (let length = a.length; length > 0; length--)
    for (let from = 0; from + length <= a.length; from++)
      if (b.includes(a.slice(from, from + length))) return length;
  return 0;
}

function sharedCharacters(a: string, b: string): number {
  return new Set([...a].filter((character) => b.includes(character))).size;
}
