import type { FootageSegment } from '#media/hls/footage.ts';

/** A stretch of time, epoch ms, end exclusive. */
export interface SpanMs {
  readonly fromAt: number;
  readonly toAt: number;
}

/** Recorded files as finding needs them; server/footage gives it. */
export interface FootageSource {
  /** In time order; empty where nothing was recorded. */
  list(channelId: string, range: SpanMs, signal?: AbortSignal): Promise<FootageSegment[]>;
  /** The same of what is on our disks already: no device is asked. */
  listHere(channelId: string, range: SpanMs, signal?: AbortSignal): Promise<FootageSegment[]>;
  /** Recorded stretches, merged, ascending. */
  listSpans(channelId: string, range: SpanMs): Promise<readonly SpanMs[]>;
}

/** A device as its events are collected: which channels, and by what names the device may call them. */
export interface EventDevice {
  readonly deviceId: string;
  readonly channels: readonly { readonly channelId: string; readonly tokens: readonly string[] }[];
}
