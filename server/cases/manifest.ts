import { toWire, toWireOrNull } from '#api/clock.ts';
import type { ExportRecord } from '#api/footage/types.ts';
import type { Manifest, ManifestClip } from './schema.ts';

/** A camera as the register knows it when the package is made. Null is what it never told. */
export interface CameraIdentity {
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly serialNumber: string | null;
  readonly firmwareVersion: string | null;
  readonly mac: string | null;
  readonly host: string | null;
  readonly clockSkewMs: number | null;
  readonly clockCheckedAt: number | null;
}

export const unknownCamera: CameraIdentity = {
  manufacturer: null,
  model: null,
  serialNumber: null,
  firmwareVersion: null,
  mac: null,
  host: null,
  clockSkewMs: null,
  clockCheckedAt: null,
};

/** What the manifest says of file `part` (from 0) of a finished export. */
export function describeClip(entry: ExportRecord, part: number, camera: CameraIdentity): ManifestClip {
  const { result } = entry;
  const file = result?.files[part];
  if (!result || !file) throw new Error(`export ${entry.id} has no file ${part}`);
  const asked = { fromAt: toWire(entry.fromAt), toAt: toWire(entry.toAt) };
  return {
    exportId: entry.id,
    mode: entry.mode,
    part: part + 1,
    parts: result.files.length,
    source: 'own',
    camera: {
      channelId: entry.channelId,
      name: entry.channelName,
      manufacturer: camera.manufacturer,
      model: camera.model,
      serialNumber: camera.serialNumber,
      firmwareVersion: camera.firmwareVersion,
      mac: camera.mac,
      address: camera.host,
    },
    asked,
    covered: result.covered,
    gaps: result.gaps,
    leadMs: result.leadMs,
    tailMs: result.tailMs,
    durationMs: file.durationMs,
    frameCount: result.frameCount,
    videoCodec: result.videoCodec,
    hasAudio: result.hasAudio,
    hidden: entry.hidden.map((region) => ({ ...region })),
    clock: {
      basis: 'server',
      appliedOffsetMs: 0,
      cameraSkewMs: camera.clockSkewMs,
      cameraSkewCheckedAt: toWireOrNull(camera.clockCheckedAt),
    },
    ffmpeg: { version: result.ffmpegVersion ?? null, arguments: file.arguments ?? [] },
    reason: entry.reason,
    requestedBy: entry.requestedByName,
    requestedAt: toWire(entry.createdAt),
    finishedAt: toWireOrNull(entry.finishedAt),
  };
}

/** The manifest's bytes: UTF-8 JSON, two blanks of indent, fields in the order of its schema, a line feed at the end. Equal content gives equal bytes. */
export function manifestBytes(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`, 'utf8');
}
