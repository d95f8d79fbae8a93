import type { StreamKind } from '#api/devices/schema.ts';
import type { StreamSource } from '#media/source.ts';
import type { ExportRecord } from './export-store.ts';
import type { Export } from './schema.ts';

export type { ExportRecord };

/** What footage and live need to know of a channel. */
export interface ChannelFacts {
  readonly channelId: string;
  readonly deviceId: string;
  readonly name: string;
}

/** Where a stream is taken from and what it carries. */
export interface ChannelStream {
  /** A channel without a sub stream gives its main one when asked for `sub`. */
  readonly kind: StreamKind;
  readonly source: StreamSource;
  /** As the device describes it: H264, H265, JPEG or other. */
  readonly codec: string;
}

/** Exports whoever asked for them, for whoever answers for what they belong to. */
export interface ClipSource {
  /** Those of `ids` that exist, in no order. */
  listByIds(ids: readonly string[]): Promise<ExportRecord[]>;
  /** The same as the API gives them, in the order of `ids`. */
  listForApi(ids: readonly string[]): Promise<Export[]>;
  /** Where a file of a finished export lies. */
  pathOf(fileName: string): string;
}

/** What other parts of the program say about a finished export. */
export interface ExportGuard {
  /** Whether its file may be handed out by itself, without the package it belongs to. */
  mayDownload(exportId: string): Promise<boolean>;
  /** Whether nothing needs it any more. */
  mayDelete(exportId: string): Promise<boolean>;
}

/** The register as footage and live see it. Changes are told on the bus: `device.changed`, `device.removed`. */
export interface ChannelSource {
  /** Channels of enabled devices that are to be recorded. */
  listRecorded(): Promise<ChannelFacts[]>;
  /** @throws AppError not-found when the register does not know the channel */
  get(channelId: string): Promise<ChannelFacts>;
  /**
   * The stream's address and credentials, as now registered.
   * @throws AppError not-found, channel.no-picture when the device is off or tells of no such stream
   */
  getStream(channelId: string, kind: StreamKind): Promise<ChannelStream>;
}
