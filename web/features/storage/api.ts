import type { Static } from 'typebox';
import type {
  CopySpans,
  Plan,
  PlanChange,
  PlanList,
  Run,
  RunList,
  Target,
  TargetChange,
  TargetList,
} from '#api/backups/schema.ts';
import type {
  Continuity,
  ContinuityDay,
  Hold,
  HoldList,
  Keeping,
  RetentionClassChange,
} from '#api/footage/schema.ts';
import { api } from '../../lib/api.ts';

const at = (path: string, id: string) => `/api/${path}/${encodeURIComponent(id)}`;
const wire = (instant: number) => new Date(instant).toISOString();

/** Retention classes with their forecast, and the holds that end soon. @throws ApiError */
export const getKeeping = (signal?: AbortSignal) => api.get<Keeping>('/api/footage/keeping', {}, signal);
/** A new class, or another description of one. */
export const saveClass = (id: string | undefined, change: RetentionClassChange) =>
  id === undefined ? api.post('/api/footage/classes', change) : api.patch(at('footage/classes', id), change);
export const removeClass = (id: string) => api.delete(at('footage/classes', id));
export const assignChannels = (id: string, channelIds: readonly string[]) =>
  api.patch(`${at('footage/classes', id)}/channels`, { channelIds });

export async function listHolds(signal?: AbortSignal): Promise<Hold[]> {
  return (await api.get<Static<typeof HoldList>>('/api/footage/holds', {}, signal)).holds;
}
export const releaseHold = (id: string) => api.delete(at('footage/holds', id));

/** @param from first and `to` last day of the site, YYYY-MM-DD, at most 31 */
export async function listContinuity(
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<ContinuityDay[]> {
  return (await api.get<Static<typeof Continuity>>('/api/footage/continuity', { from, to }, signal)).days;
}
export const continuityCsvUrl = (from: string, to: string, language: string) =>
  `/api/footage/continuity.csv?from=${from}&to=${to}&language=${language}`;

export async function listTargets(signal?: AbortSignal): Promise<Target[]> {
  return (await api.get<Static<typeof TargetList>>('/api/backups/targets', {}, signal)).targets;
}
export const saveTarget = (id: string | undefined, change: TargetChange) =>
  id === undefined ? api.post('/api/backups/targets', change) : api.patch(at('backups/targets', id), change);
export const removeTarget = (id: string) => api.delete(at('backups/targets', id));
/** Tries the target now; its state is then in the list. */
export const checkTarget = (id: string) => api.post(`${at('backups/targets', id)}/check`, {});

export async function listPlans(signal?: AbortSignal): Promise<Plan[]> {
  return (await api.get<Static<typeof PlanList>>('/api/backups/plans', {}, signal)).plans;
}
export const savePlan = (id: string | undefined, change: PlanChange) =>
  id === undefined ? api.post('/api/backups/plans', change) : api.patch(at('backups/plans', id), change);
export const removePlan = (id: string) => api.delete(at('backups/plans', id));
export const runPlan = (id: string) => api.post(`${at('backups/plans', id)}/run`, {});

export async function listRuns(signal?: AbortSignal): Promise<Run[]> {
  return (await api.get<Static<typeof RunList>>('/api/backups/runs', {}, signal)).runs;
}
export const cancelRun = (id: string) => api.delete(at('backups/runs', id));

/** Where copies of a camera's footage are; instants in epoch ms. */
export async function listCopies(
  channelId: string,
  fromAt: number,
  toAt: number,
  signal?: AbortSignal,
): Promise<CopySpans['targets']> {
  const query = { channelId, fromAt: wire(fromAt), toAt: wire(toAt) };
  return (await api.get<CopySpans>('/api/backups/copies', query, signal)).targets;
}
export const restore = (ask: {
  targetId: string;
  channelId: string;
  fromAt: number;
  toAt: number;
  keepDays: number;
  reason: string;
}) => api.post('/api/backups/restore', { ...ask, fromAt: wire(ask.fromAt), toAt: wire(ask.toAt) });
