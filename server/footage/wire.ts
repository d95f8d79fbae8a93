import { toWire, toWireOrNull } from '#api/clock.ts';
import type { ExportRecord } from './export-store.ts';
import type { HoldRecord } from './hold-store.ts';
import type { RoomStatus } from './retention-runner.ts';
import type { ChannelTimeline, Export, Hold, Span, StorageStatus } from './schema.ts';
import type { ChannelFootage } from './service.ts';
import type { SpanMs } from './spans.ts';

/** Domain objects in the form the API gives them: epoch ms become ISO 8601. */
export const toWireSpan = ({ fromAt, toAt }: SpanMs): Span => ({
  fromAt: toWire(fromAt),
  toAt: toWire(toAt),
});

export function toWireTimeline(parts: ChannelFootage): ChannelTimeline {
  const { held, spans: deviceSpans } = parts.offer;
  const ours = { state: 'current', askedAt: null, clockSkewMs: null, problem: null } as const;
  const device = {
    source: 'device',
    spans: deviceSpans.map(toWireSpan),
    state: held.state === 'none' ? 'current' : held.state,
    askedAt: toWireOrNull(held.askedAt),
    clockSkewMs: held.clockSkewMs,
    problem: held.problem,
  } as const;
  const hasDevice = held.state !== 'none' || deviceSpans.length > 0;
  return {
    channelId: parts.channelId,
    spans: parts.spans.map(toWireSpan),
    gaps: parts.gaps.map((gap) => ({ ...toWireSpan(gap), cause: gap.cause })),
    heldSpans: parts.heldSpans.map(toWireSpan),
    sources: [
      { ...ours, source: 'own', spans: parts.ownSpans.map(toWireSpan) },
      ...(hasDevice ? [device] : []),
      ...(parts.copiedSpans.length > 0
        ? [{ ...ours, source: 'copy' as const, spans: parts.copiedSpans.map(toWireSpan) }]
        : []),
    ],
  };
}

export function toWireHold({ id, channelId, reason, createdByName, ...hold }: HoldRecord): Hold {
  return {
    id,
    channelId,
    ...toWireSpan(hold),
    reason,
    createdByName,
    createdAt: toWire(hold.createdAt),
    untilAt: toWireOrNull(hold.untilAt),
    releasedAt: toWireOrNull(hold.releasedAt),
  };
}

export function toWireExport(entry: ExportRecord): Export {
  const { id, channelId, channelName, reason, requestedByName, state, sizeBytes, sha256, result, error } =
    entry;
  return {
    id,
    channelId,
    channelName,
    ...toWireSpan(entry),
    reason,
    requestedByName,
    mode: entry.mode,
    hidden: entry.hidden.map((region) => ({ ...region })),
    state,
    progress: state === 'ready' ? 1 : state === 'running' ? entry.progress : null,
    fileName: entry.file,
    sizeBytes,
    sha256,
    result,
    error,
    createdAt: toWire(entry.createdAt),
    finishedAt: toWireOrNull(entry.finishedAt),
  };
}

export function toWireStorage(room: RoomStatus): StorageStatus {
  const { level, usedBytes, freeBytes, limitBytes, bytesPerDay, daysLeft, reason } = room;
  return {
    level,
    usedBytes,
    freeBytes,
    limitBytes,
    bytesPerDay,
    daysLeft,
    oldestAt: toWireOrNull(room.oldestAt),
    reason,
  };
}
