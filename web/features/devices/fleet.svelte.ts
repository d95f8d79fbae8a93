import { resource, type Resource } from '../../lib/resource.svelte.ts';
import { listPlaces } from '../sites/api.ts';
import { listDevices } from './api.ts';
import { Fleet } from './fleet.ts';

/** The fleet, kept up to date while the calling component lives. Call it while a component is set up. */
export function useFleet(): Resource<Fleet> {
  return resource(
    async (signal) => {
      const [devices, places] = await Promise.all([listDevices(signal), listPlaces(signal)]);
      return new Fleet(devices, places);
    },
    {
      events: [
        'device.changed',
        'device.removed',
        'channel.health-changed',
        'recording.changed',
        'places.changed',
      ],
    },
  );
}
