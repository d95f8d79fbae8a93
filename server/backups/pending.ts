import type { OwnFile, OwnFootageService } from '#api/footage/own-footage-service.ts';
import type { Copy, CopyStore } from './copy-store.ts';
import type { RunRecord } from './run-store.ts';
import type { SpanMs } from './types.ts';

/** One file that a run still has to copy away or to bring back. */
export type Work = { readonly file: string; readonly sizeBytes: number } & (
  { readonly kind: 'copy'; readonly source: OwnFile } | { readonly kind: 'restore'; readonly source: Copy }
);

/** How much of a channel is looked at at once: a year of 64 cameras is 33 million files. */
const windowMs = 24 * 3600 * 1000;

/** What is left to do, oldest first over all channels, since the oldest is the next to be deleted. */
export async function* listPending(
  run: RunRecord,
  { own, copies }: { own: OwnFootageService; copies: CopyStore },
): AsyncGenerator<Work> {
  const channelIds = run.channelIds ?? (await own.listChannelIds());
  const held = new Map<string, SpanMs[]>();
  if (run.isHeldOnly) for (const id of channelIds) held.set(id, await own.listHeld(id));
  for (let fromAt = run.fromAt; fromAt < run.toAt; fromAt += windowMs) {
    const window = { fromAt, toAt: Math.min(run.toAt, fromAt + windowMs) };
    for (const channelId of channelIds) {
      const wanted = run.isHeldOnly ? (held.get(channelId) ?? []) : [window];
      if (!wanted.some((span) => isOverlapping(span, window))) continue;
      // A file that goes over the end of a window is work of the window in which it begins.
      const isOfWindow = (file: { startAt: number }) => file.startAt >= fromAt || fromAt === run.fromAt;
      const there = await copies.list(channelId, window, run.targetId);
      if (run.kind === 'copy') {
        const known = new Set(there.map((copy) => copy.file));
        for (const source of await own.list(channelId, window)) {
          const span = { fromAt: source.startAt, toAt: source.endAt };
          if (!isOfWindow(source) || known.has(source.file)) continue;
          if (!wanted.some((part) => isOverlapping(part, span))) continue;
          yield { kind: 'copy', file: source.file, sizeBytes: source.sizeBytes, source };
        }
      } else {
        const known = await own.listKnown(there.map((copy) => copy.file));
        for (const source of there)
          if (isOfWindow(source) && !known.has(source.file))
            yield { kind: 'restore', file: source.file, sizeBytes: source.sizeBytes, source };
      }
    }
  }
}

function isOverlapping(a: SpanMs, b: SpanMs): boolean {
  return a.fromAt < b.toAt && b.fromAt < a.toAt;
}
