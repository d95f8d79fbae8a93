/** What is odd about a device that otherwise works. The console has a sentence for each, with the values named here. */
export interface DeviceNotes {
  'profile-without-token': { number: string };
  'profile-without-encoder': { profile: string };
  'profile-left-out': { profile: string; reason: string };
  'too-many-profiles': { count: string; used: string };
  'source-without-address': { source: string };
  'stream-host-replaced': { announced: string; used: string };
  'snapshot-host-replaced': { announced: string; used: string };
  /** Local time set as UTC. */
  'clock-hours-off': { hours: string };
  'clock-off': { seconds: string };
  'clock-locked': object;
  'no-video': object;
  'network-unreadable': { reason: string };
  'no-identity': object;
}

/** A note as it is kept and sent: a code and what it speaks of. */
export interface DeviceNote {
  code: string;
  values: Record<string, string>;
}

const LONGEST_VALUE = 200;

/** Makes a note; values come from devices and are cut to 200 characters. */
export function noteOf<C extends keyof DeviceNotes>(code: C, values: DeviceNotes[C]): DeviceNote {
  const entries = Object.entries(values as Record<string, string>);
  return {
    code,
    values: Object.fromEntries(entries.map(([key, value]) => [key, value.slice(0, LONGEST_VALUE)])),
  };
}

/** Whether two notes say the same. */
export function isSameNote(one: DeviceNote, other: DeviceNote): boolean {
  return one.code === other.code && JSON.stringify(one.values) === JSON.stringify(other.values);
}
