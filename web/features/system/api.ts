import type { HealthReport } from '#api/system/schema.ts';
import { request } from '../../lib/api.ts';

/** Whether the parts of the server work. A failing part is an answer (503), not an error. @throws ApiError */
export function getHealthReport(signal: AbortSignal): Promise<HealthReport> {
  return request<HealthReport>('GET', '/api/health', { signal, alsoOk: 503 });
}
