import type { HealthState } from '#api/devices/schema.ts';
import { m } from '../../paraglide/messages.js';

/** What each state of a camera is called. */
export const healthLabels: Readonly<Record<HealthState, () => string>> = {
  online: m.common_health_online,
  degraded: m.common_health_degraded,
  offline: m.common_health_offline,
  unknown: m.common_health_unknown,
};
