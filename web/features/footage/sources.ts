import type { ChannelTimeline } from '#api/footage/schema.ts';

/** What each source holds; none while the time line is not known. */
export const sourcesOf = (timeline: ChannelTimeline | undefined): ChannelTimeline['sources'] =>
  timeline?.sources ?? [];
