import type { Static } from 'typebox';
import type { AuditEntry } from '#api/auth/schema.ts';
import type {
  Case,
  CaseChange,
  CaseHistory,
  CaseList,
  CaseSummary,
  EvidenceKey,
  NewCase,
  NewCaseClip,
  NewHandover,
} from '#api/cases/schema.ts';
import { api } from '../../lib/api.ts';

const at = (id: string) => `/api/cases/${encodeURIComponent(id)}`;

/** Newest first. @throws ApiError, as everything here */
export async function listCases(signal?: AbortSignal): Promise<CaseSummary[]> {
  const { cases } = await api.get<Static<typeof CaseList>>('/api/cases', {}, signal);
  return cases;
}

export function getCase(id: string, signal?: AbortSignal): Promise<Case> {
  return api.get<Case>(at(id), {}, signal);
}

export function createCase(facts: NewCase): Promise<Case> {
  return api.post<Case>('/api/cases', facts);
}

export function changeCase(id: string, change: CaseChange): Promise<Case> {
  return api.patch<Case>(at(id), change);
}

export function addClip(id: string, clip: NewCaseClip): Promise<Case> {
  return api.post<Case>(`${at(id)}/clips`, clip);
}

export function removeClip(id: string, exportId: string): Promise<Case> {
  return api.delete<Case>(`${at(id)}/clips/${encodeURIComponent(exportId)}`);
}

export function requestPackage(id: string): Promise<Case> {
  return api.post<Case>(`${at(id)}/packages`);
}

export function approvePackage(id: string, packageId: string): Promise<Case> {
  return api.post<Case>(`${at(id)}/packages/${encodeURIComponent(packageId)}/approval`);
}

export function packageUrl(id: string, number: number): string {
  return `${at(id)}/package?number=${number}`;
}

export function handOver(id: string, handover: NewHandover): Promise<Case> {
  return api.post<Case>(`${at(id)}/handovers`, handover);
}

/** Oldest first. */
export async function listHistory(id: string, signal?: AbortSignal): Promise<AuditEntry[]> {
  const { entries } = await api.get<Static<typeof CaseHistory>>(`${at(id)}/history`, {}, signal);
  return entries;
}

export function getEvidenceKey(signal?: AbortSignal): Promise<EvidenceKey> {
  return api.get<EvidenceKey>('/api/evidence-key', {}, signal);
}

/** Address of the picture that a camera showed at an instant (epoch ms). */
export function previewUrl(channelId: string, instant: number): string {
  const query = new URLSearchParams({ channelId, at: new Date(instant).toISOString() });
  return `/api/exports/preview?${query.toString()}`;
}
