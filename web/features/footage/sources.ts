import type { ChannelTimeline, Span } from '#api/footage/schema.ts';

/** Where footage lies: recorded here, in the recorder of the device, or in a copy of ours. */
export type FootageSource = 'own' | 'device' | 'copy';
export interface SourceSpans {
  readonly source: FootageSource;
  readonly spans: readonly Span[];
}

/** What each source holds; a server that knows of one source only tells none. */
export function sourcesOf(timeline: ChannelTimeline | undefined): readonly SourceSpans[] {
  const { sources } = (timeline ?? {}) as { sources?: readonly SourceSpans[] };
  return sources ?? [];
}
