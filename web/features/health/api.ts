import type { Static } from 'typebox';
import type { ChannelHealth, Fault, FaultList } from '#api/health/schema.ts';
import { api } from '../../lib/api.ts';

/** Newest first. @throws ApiError */
export async function listFaults(
  query: { isOpen?: boolean; channelId?: string; limit?: number },
  signal?: AbortSignal,
): Promise<Fault[]> {
  const { faults } = await api.get<Static<typeof FaultList>>('/api/faults', query, signal);
  return faults;
}

export function getChannelHealth(
  channelId: string,
  signal?: AbortSignal,
): Promise<Static<typeof ChannelHealth>> {
  return api.get(`/api/channels/${encodeURIComponent(channelId)}/health`, {}, signal);
}

/** Looks at the camera now; takes as long as the look does. */
export function checkNow(channelId: string): Promise<Static<typeof ChannelHealth>> {
  return api.post(`/api/channels/${encodeURIComponent(channelId)}/health/check`);
}
