import { readFileSync } from 'node:fs';
import type { Place } from '#api/sites/schema.ts';
import type { Hospital } from '../../test/simulators/hospital.ts';
import type { ApiClient } from './api-client.ts';
import type { DemoLogin } from './logins.ts';

const plansDir = new URL('../../test/simulators/plans/', import.meta.url);

/**
 * Does by API what an administrator does on the first day: names the hospital, enters buildings, floors, areas and plans, and makes the people.
 * Cameras are left to be found by whoever tries the demo. Does nothing where it was done before.
 */
export async function furnish(
  admin: ApiClient,
  { world }: Hospital,
  logins: readonly DemoLogin[],
  networks: string[],
): Promise<void> {
  const { places } = await admin.send<{ places: Place[] }>('GET', '/api/places');
  if (places.length > 0) return;

  await admin.send('POST', '/api/first-run', { hospitalName: world.site.name, cameraNetworks: networks });
  const make = (place: object) => admin.send<Place>('POST', '/api/places', place);
  const campus = await make({
    parentId: null,
    kind: 'campus',
    name: world.site.name,
    nameEn: world.site.nameEn,
  });
  const parents = new Map<string | null, Place>([[null, campus]]);
  for (const [sort, { id, name, nameEn }] of world.buildings.entries())
    parents.set(id, await make({ parentId: campus.id, kind: 'building', name, nameEn, sort }));

  for (const floor of world.floors) {
    const parentId = parents.get(floor.buildingId)?.id ?? campus.id;
    const isCampusPlan = floor.buildingId === null;
    const holder = isCampusPlan
      ? campus
      : await make({ parentId, kind: 'floor', name: floor.name, sort: floor.level });
    const plan = readFileSync(new URL(floor.plan, plansDir));
    await admin.upload(
      `/api/places/${holder.id}/plan?metresPerPixel=${floor.metresPerPx}`,
      'image/svg+xml',
      plan,
    );
    if (isCampusPlan) continue;
    for (const [sort, room] of floor.rooms.entries()) {
      const { x, y, width, height } = room;
      const outline = [
        { x, y },
        { x: x + width, y },
        { x: x + width, y: y + height },
        { x, y: y + height },
      ];
      await make({ parentId: holder.id, kind: 'area', name: room.name, sort, outline });
    }
  }
  for (const login of logins.filter((entry) => entry.role !== 'admin')) await admit(admin, login);
}

/** Makes a person as an administrator does, then changes the first password as that person must. */
async function admit(admin: ApiClient, login: DemoLogin): Promise<void> {
  const { role, username, displayName, password } = login;
  const firstPassword = `${password}-first`;
  await admin.send('POST', '/api/users', { role, username, displayName, password: firstPassword });
  const own = await admin.another(username, firstPassword);
  await own.send('POST', '/api/me/password', { currentPassword: firstPassword, newPassword: password });
  await own.close();
}
