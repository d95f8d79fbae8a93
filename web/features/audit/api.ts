import type { Static } from 'typebox';
import type { AuditCheck, AuditPage, AuditQuery } from '#api/auth/schema.ts';
import { api } from '../../lib/api.ts';

/** Newest first. `nextBeforeSeq` asks for the next page; null: this was the last. @throws ApiError */
export function listAudit(query: AuditQuery, signal?: AbortSignal): Promise<AuditPage> {
  return api.get<AuditPage>('/api/audit', query, signal);
}

/** Recomputes the whole chain of hashes; takes a while on a long trail. */
export function verifyAudit(): Promise<Static<typeof AuditCheck>> {
  return api.post<Static<typeof AuditCheck>>('/api/audit/verify');
}
