import { toWire, toWireOrNull } from '#api/clock.ts';
import type { RunRecord } from './run-store.ts';
import type { CopySpans, Plan, Run, Target } from './schema.ts';
import type { CopiesAt, TargetStatus } from './service.ts';
import type { PlanRecord } from './target-store.ts';

/** A target as the API tells of it: without its secret, sealed or not. */
export function toWireTarget({
  id,
  name,
  kind,
  config,
  state,
  stateAt,
  copies,
  copiedBytes,
}: TargetStatus): Target {
  return { id, name, kind, config, state, stateAt: toWireOrNull(stateAt), copies, copiedBytes };
}

export function toWirePlan({ channelIds, copiedToAt, ...plan }: PlanRecord, nextRunAt: number | null): Plan {
  return {
    ...plan,
    channelIds: channelIds && [...channelIds],
    copiedToAt: toWireOrNull(copiedToAt),
    nextRunAt: toWireOrNull(nextRunAt),
  };
}

export function toWireRun({ jobId: _jobId, tries: _tries, ...run }: RunRecord): Run {
  return {
    ...run,
    channelIds: run.channelIds && [...run.channelIds],
    failures: [...run.failures],
    fromAt: toWire(run.fromAt),
    toAt: toWire(run.toAt),
    nextTryAt: toWireOrNull(run.nextTryAt),
    createdAt: toWire(run.createdAt),
    finishedAt: toWireOrNull(run.finishedAt),
  };
}

export function toWireCopies({ spans, ...copies }: CopiesAt): CopySpans['targets'][number] {
  return {
    ...copies,
    spans: spans.map((span) => ({ fromAt: toWire(span.fromAt), toAt: toWire(span.toAt) })),
  };
}
