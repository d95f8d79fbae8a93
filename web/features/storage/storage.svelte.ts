import type { StorageStatus } from '#api/footage/schema.ts';
import { api } from '../../lib/api.ts';
import { logDebug } from '../../lib/log.ts';

/** Room for recordings, asked once for all who show it. Undefined: not known (yet, or this person may not know). */
class StorageState {
  status = $state.raw<StorageStatus | undefined>(undefined);

  /** Never throws: a warning line that cannot be loaded must not disturb the page below it. */
  async load(): Promise<void> {
    try {
      this.status = await api.get<StorageStatus>('/api/footage/storage');
    } catch (error) {
      logDebug('the storage status could not be loaded', error);
    }
  }
}

export const storageState = new StorageState();
