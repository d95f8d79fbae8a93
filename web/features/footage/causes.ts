import { m } from '../../paraglide/messages.js';
import { reasonText } from '../health/reason.ts';

/** Why footage is missing, by the code of a gap. */
const texts: Readonly<Record<string, () => string>> = {
  'camera-lost': m.footage_cause_camera_lost,
  'server-stopped': m.footage_cause_server_stopped,
  'disk-full': m.footage_cause_disk_full,
  'recording-off': m.footage_cause_recording_off,
  'deleted-by-retention': m.footage_cause_deleted,
  'deleted-before-minimum': m.footage_cause_too_early,
  'stream-changed': m.footage_cause_stream_changed,
  'file-missing': m.footage_cause_file_missing,
  'not-recorded-yet': m.footage_cause_not_yet,
};

/** A gap's cause in words; null is unknown and said so. */
export function causeText(cause: string | null): string {
  if (cause === null) return m.footage_cause_unknown();
  return texts[cause]?.() ?? reasonText(cause);
}
