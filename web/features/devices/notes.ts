import type { DeviceNote } from '#api/devices/schema.ts';
import { m } from '../../paraglide/messages.js';

type Values = Readonly<Record<string, string>>;

const texts: Readonly<Record<string, (values: Values) => string>> = {
  'profile-without-token': (values) => m.devices_note_profile_without_token({ number: values.number ?? '–' }),
  'profile-without-encoder': (values) =>
    m.devices_note_profile_without_encoder({ profile: values.profile ?? '–' }),
  'profile-left-out': (values) =>
    m.devices_note_profile_left_out({ profile: values.profile ?? '–', reason: values.reason ?? '–' }),
  'too-many-profiles': (values) =>
    m.devices_note_too_many_profiles({ count: values.count ?? '–', used: values.used ?? '–' }),
  'source-without-address': (values) =>
    m.devices_note_source_without_address({ source: values.source ?? '–' }),
  'stream-host-replaced': (values) =>
    m.devices_note_stream_host_replaced({ announced: values.announced ?? '–', used: values.used ?? '–' }),
  'snapshot-host-replaced': (values) =>
    m.devices_note_snapshot_host_replaced({ announced: values.announced ?? '–', used: values.used ?? '–' }),
  'clock-hours-off': (values) => m.devices_note_clock_hours_off({ hours: values.hours ?? '–' }),
  'clock-off': (values) => m.devices_note_clock_off({ seconds: values.seconds ?? '–' }),
  'clock-locked': () => m.devices_note_clock_locked(),
  'no-video': () => m.devices_note_no_video(),
  'network-unreadable': (values) => m.devices_note_network_unreadable({ reason: values.reason ?? '–' }),
  'no-identity': () => m.devices_note_no_identity(),
  'channel-missing': (values) =>
    m.devices_note_channel_missing({ source: values.source ?? '–', name: values.name ?? '–' }),
  moved: (values) => m.devices_note_moved({ from: values.from ?? '–' }),
  stranger: (values) => m.devices_note_stranger({ who: values.who ?? '–' }),
  unauthorized: () => m.devices_note_unauthorized(),
  locked: () => m.devices_note_locked(),
};

/** The sentence of a note in the reader's language; a code that this console does not know is shown as it is. */
export function noteText({ code, values }: DeviceNote): string {
  return texts[code]?.(values) ?? [code, ...Object.values(values)].join(' ');
}
