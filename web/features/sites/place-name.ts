import type { Place } from '#api/sites/schema.ts';
import { locale } from '../../lib/locale.svelte.ts';

/** A place's name in the language of the console. */
export function placeName(place: Place): string {
  return locale.current === 'en' ? (place.nameEn ?? place.name) : place.name;
}
