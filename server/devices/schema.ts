import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

export const StreamKind = OneOf(['main', 'sub']);
export type StreamKind = Static<typeof StreamKind>;

/** What is odd about a device that otherwise works; the console has a sentence for each code (web/features/devices/notes.ts). */
export const DeviceNote = Shape({
  code: Type.String(),
  values: Type.Record(Type.String(), Type.String(), { description: 'What the sentence speaks of' }),
});
export type DeviceNote = Static<typeof DeviceNote>;

/** One video stream as the device describes it; null is what it does not say. The address stays on the server. */
export const StreamInfo = Shape({
  kind: StreamKind,
  codec: OneOf(['H264', 'H265', 'JPEG', 'other']),
  widthPx: OrNull(Type.Integer()),
  heightPx: OrNull(Type.Integer()),
  frameRateFps: OrNull(Type.Number()),
  bitrateBps: OrNull(Type.Integer()),
  hasAudio: Type.Boolean(),
});
export type StreamInfo = Static<typeof StreamInfo>;

export const HealthState = OneOf(['online', 'degraded', 'offline', 'unknown']);
export type HealthState = Static<typeof HealthState>;
export const RecordingState = OneOf(['off', 'starting', 'recording', 'waiting', 'disk-full']);
export type RecordingState = Static<typeof RecordingState>;

/** One video source of a device, with where it is on the plan and how it is now. */
export const Channel = Shape({
  id: Id,
  deviceId: Id,
  name: Type.String(),
  placeId: OrNull(Id),
  planX: OrNull(Type.Number({ description: 'px on the plan of the nearest place above that has one' })),
  planY: OrNull(Type.Number()),
  headingDeg: OrNull(Type.Number({ description: '0 is up on the plan, clockwise' })),
  fovDeg: OrNull(Type.Number()),
  streams: Type.Array(StreamInfo),
  hasPtz: Type.Boolean(),
  isRecorded: Type.Boolean({ description: 'Wanted; what happens is in recordingState' }),
  health: HealthState,
  healthReason: OrNull(
    Type.String({ description: 'layer.code, as tcp.unreachable; null while online or unknown' }),
  ),
  healthSinceAt: OrNull(Instant),
  recordingState: RecordingState,
  recordingCause: OrNull(Type.String()),
});
export type Channel = Static<typeof Channel>;

/** A camera or NVR in the register. No secret, and no address with a user part, is ever in here. */
export const Device = Shape({
  id: Id,
  kind: OneOf(['camera', 'nvr']),
  name: Type.String(),
  host: Type.String(),
  xaddr: Type.String(),
  identity: Type.String(),
  manufacturer: OrNull(Type.String()),
  model: OrNull(Type.String()),
  firmwareVersion: OrNull(Type.String()),
  serialNumber: OrNull(Type.String()),
  mac: OrNull(Type.String()),
  clockSkewMs: OrNull(Type.Integer({ description: 'Device clock minus server clock' })),
  clockCheckedAt: OrNull(Instant),
  isEnabled: Type.Boolean(),
  hasCredentials: Type.Boolean(),
  warnings: Type.Array(DeviceNote),
  placeId: OrNull(Id),
  lastSeenAt: OrNull(Instant),
  removedAt: OrNull(
    Type.String({ format: 'date-time', description: 'Out of the register since; kept for its footage' }),
  ),
  channels: Type.Array(Channel),
});
export type Device = Static<typeof Device>;
export const DeviceList = Shape({ devices: Type.Array(Device) });
/** `removed=true`: instead of the register, the devices taken out of it whose footage is still kept. */
export const DeviceListQuery = Shape({ removed: Type.Optional(Type.Boolean()) });
/** `hidden`: it has footage, so it is only switched off and out of sight; the footage goes by its own rules. */
export const RemovedDevice = Shape({ how: OneOf(['hidden', 'deleted']) });

export const DeviceChange = Type.Partial(
  Shape({
    name: Type.String({ minLength: 1, maxLength: 80 }),
    isEnabled: Type.Boolean(),
    placeId: OrNull(Id),
    xaddr: Type.String({ maxLength: 300 }),
    credentials: Shape({
      username: Type.String({ minLength: 1, maxLength: 64 }),
      password: Type.String({ maxLength: 128 }),
    }),
  }),
  { additionalProperties: false },
);
export type DeviceChange = Static<typeof DeviceChange>;
export const ChannelChange = Type.Partial(
  Shape({
    name: Type.String({ minLength: 1, maxLength: 80 }),
    placeId: OrNull(Id),
    planX: OrNull(Type.Number()),
    planY: OrNull(Type.Number()),
    headingDeg: OrNull(Type.Number({ minimum: 0, maximum: 360 })),
    fovDeg: OrNull(Type.Number({ minimum: 1, maximum: 360 })),
    isRecorded: Type.Boolean(),
  }),
  { additionalProperties: false },
);
export type ChannelChange = Static<typeof ChannelChange>;

/** Starts a search. `ranges` need `confirmScan`: asking thousands of addresses is something a person decides. */
export const DiscoveryRequest = Shape({
  method: OneOf(['ws-discovery', 'scan']),
  ranges: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { minItems: 1, maxItems: 16 })),
  ports: Type.Optional(
    Type.Array(Type.Integer({ minimum: 1, maximum: 65535 }), { minItems: 1, maxItems: 8 }),
  ),
  confirmScan: Type.Optional(Type.Boolean()),
});
export type DiscoveryRequest = Static<typeof DiscoveryRequest>;

export const DiscoveryRun = Shape({
  id: Id,
  method: OneOf(['ws-discovery', 'scan']),
  state: OneOf(['running', 'done', 'cancelled', 'failed']),
  done: Type.Integer(),
  total: OrNull(Type.Integer()),
  found: Type.Integer(),
  problem: OrNull(Type.String()),
  hint: OrNull(Type.String({ description: 'Code of a hint for the person, as no-replies' })),
  startedAt: Instant,
  finishedAt: OrNull(Instant),
});
export type DiscoveryRun = Static<typeof DiscoveryRun>;

export const FindingOutcome = OneOf([
  'new', // seen, not yet asked
  'asking',
  'ok', // learned, ready to be registered
  'registered',
  'unauthorized',
  'locked',
  'unreachable',
  'timeout',
  'garbage',
  'not-onvif',
  'unsupported',
  'untrusted', // announced an address outside the camera networks
]);
export type FindingOutcome = Static<typeof FindingOutcome>;

/** A device somebody saw: by announcement, scan or typed address. Every failure is a row with a plain reason. */
export const Finding = Shape({
  id: Id,
  source: OneOf(['ws-discovery', 'scan', 'manual']),
  host: Type.String(),
  xaddr: Type.String(),
  name: OrNull(Type.String()),
  hardware: OrNull(Type.String()),
  location: OrNull(Type.String()),
  outcome: FindingOutcome,
  reason: OrNull(Type.String()),
  deviceId: OrNull(Id),
  /** What was learned, once asked with a password that works. */
  learned: OrNull(
    Shape({
      kind: OneOf(['camera', 'nvr']),
      identity: Type.String(),
      manufacturer: OrNull(Type.String()),
      model: OrNull(Type.String()),
      firmwareVersion: OrNull(Type.String()),
      serialNumber: OrNull(Type.String()),
      clockSkewMs: OrNull(Type.Integer()),
      channels: Type.Array(
        Shape({ name: OrNull(Type.String()), streams: Type.Array(StreamInfo), hasPtz: Type.Boolean() }),
      ),
      warnings: Type.Array(DeviceNote),
    }),
  ),
  firstSeenAt: Instant,
  lastSeenAt: Instant,
});
export type Finding = Static<typeof Finding>;
export const FindingList = Shape({ findings: Type.Array(Finding) });

export const CredentialSet = Shape({
  username: Type.String({ minLength: 1, maxLength: 64 }),
  password: Type.String({ maxLength: 128 }),
});
export type CredentialSet = Static<typeof CredentialSet>;
/** Asks the findings for what they are. Never more than two refused tries per device, whatever the number of sets. */
export const LearnRequest = Shape({
  findingIds: Type.Array(Id, { minItems: 1, maxItems: 500 }),
  credentialSets: Type.Array(CredentialSet, { maxItems: 8 }),
});
export type LearnRequest = Static<typeof LearnRequest>;
export const ManualAddRequest = Shape({ address: Type.String({ minLength: 3, maxLength: 300 }) });

/** Takes learned findings into the register, with a place for each if one was picked. */
export const RegisterRequest = Shape({
  items: Type.Array(
    Shape({
      findingId: Id,
      name: Type.Optional(Type.String({ minLength: 1, maxLength: 80 })),
      placeId: Type.Optional(OrNull(Id)),
    }),
    { minItems: 1, maxItems: 500 },
  ),
});
export type RegisterRequest = Static<typeof RegisterRequest>;
export const RegisterResult = Shape({
  registered: Type.Array(Shape({ findingId: Id, deviceId: Id })),
  failed: Type.Array(Shape({ findingId: Id, code: Type.String(), reason: Type.String() })),
});
export type RegisterResult = Static<typeof RegisterResult>;

/** Moves a camera; velocities -1..1, all zero stops it. It stops by itself after `timeoutMs`. */
export const PtzMove = Shape({
  pan: Type.Number({ minimum: -1, maximum: 1 }),
  tilt: Type.Number({ minimum: -1, maximum: 1 }),
  zoom: Type.Number({ minimum: -1, maximum: 1 }),
  timeoutMs: Type.Integer({ minimum: 100, maximum: 10_000 }),
});
export type PtzMove = Static<typeof PtzMove>;
