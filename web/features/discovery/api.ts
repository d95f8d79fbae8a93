import type { Static } from 'typebox';
import type {
  CredentialSet,
  DiscoveryRequest,
  DiscoveryRun,
  Finding,
  FindingList,
  RegisterRequest,
  RegisterResult,
} from '#api/devices/schema.ts';
import { api } from '../../lib/api.ts';

export type RegisterOutcome = Static<typeof RegisterResult>;

/** @throws ApiError `discovery.busy` while a search is under way, `discovery.range-too-large`, `device.outside-networks` */
export function startDiscovery(wanted: DiscoveryRequest): Promise<DiscoveryRun> {
  return api.post<DiscoveryRun>('/api/discovery/runs', wanted);
}

/** The search under way or the last one; null before the first. */
export function currentRun(signal?: AbortSignal): Promise<DiscoveryRun | null> {
  return api.get<DiscoveryRun | null>('/api/discovery/runs/current', {}, signal);
}

export function cancelDiscovery(id: string): Promise<unknown> {
  return api.delete(`/api/discovery/runs/${encodeURIComponent(id)}`);
}

export async function listFindings(signal?: AbortSignal): Promise<Finding[]> {
  const { findings } = await api.get<Static<typeof FindingList>>('/api/discovery/findings', {}, signal);
  return findings;
}

export function dropFinding(id: string): Promise<unknown> {
  return api.delete(`/api/discovery/findings/${encodeURIComponent(id)}`);
}

/** Adds an address by hand: `10.20.1.7`, `10.20.1.7:8080` or a whole device-service URL. */
export function addByAddress(address: string): Promise<Finding> {
  return api.post<Finding>('/api/discovery/manual', { address });
}

/** Asks the devices what they are. The answers come as changed findings. */
export function learn(
  findingIds: readonly string[],
  credentialSets: readonly CredentialSet[],
): Promise<unknown> {
  return api.post('/api/discovery/learn', {
    findingIds: [...findingIds],
    credentialSets: [...credentialSets],
  });
}

export function register(items: RegisterRequest['items']): Promise<RegisterOutcome> {
  return api.post<RegisterOutcome>('/api/discovery/register', { items });
}
