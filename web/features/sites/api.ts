import type { NewPlace, Place, PlaceChange } from '#api/sites/schema.ts';
import { api } from '../../lib/api.ts';

const at = (id: string) => `/api/places/${encodeURIComponent(id)}`;

/** Every place, parents before children. @throws ApiError */
export async function listPlaces(signal?: AbortSignal): Promise<Place[]> {
  const { places } = await api.get<{ places: Place[] }>('/api/places', {}, signal);
  return places;
}

export function createPlace(place: NewPlace): Promise<Place> {
  return api.post<Place>('/api/places', place);
}

export function changePlace(id: string, change: PlaceChange): Promise<Place> {
  return api.patch<Place>(at(id), change);
}

/** @throws ApiError `conflict` while something is in it */
export function deletePlace(id: string): Promise<unknown> {
  return api.delete(at(id));
}

/** Puts a floor plan (PNG, JPEG or SVG) in place of the one there. @throws ApiError `plan.bad-file` */
export function putPlan(id: string, file: Blob): Promise<unknown> {
  return api.putFile(`${at(id)}/plan`, file);
}
