import { readPlace, writePlace, type WatchPlace } from './watch-place.ts';

const key = 'weian.archive-place';

/** Where the investigator was: the address says it; an address that says nothing goes back to where this tab was last. */
export function findPlace(): WatchPlace {
  const search = new URLSearchParams(location.search);
  return readPlace(search.has('channels') ? search : new URLSearchParams(sessionStorage.getItem(key) ?? ''));
}

/** Keeps the place in the address, without a step in the browser's history, and for this tab's next visit. */
export function keepPlace(place: WatchPlace): void {
  const search = writePlace(place);
  if (location.pathname !== '/archive' || search === location.search) return;
  history.replaceState(history.state, '', `${location.pathname}${search}`);
  sessionStorage.setItem(key, search);
}
