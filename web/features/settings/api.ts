import type { Static } from 'typebox';
import type { Settings, SettingsChange } from '#api/settings/schema.ts';
import { api } from '../../lib/api.ts';

export function getSettings(signal?: AbortSignal): Promise<Settings> {
  return api.get<Settings>('/api/settings', {}, signal);
}

/** Changes whole groups. @throws ApiError */
export function changeSettings(change: Static<typeof SettingsChange>): Promise<Settings> {
  return api.patch<Settings>('/api/settings', change);
}
