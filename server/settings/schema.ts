import { Type, type Static } from 'typebox';
import { Shape, OrNull } from '#api/http/schema.ts';

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
export const cidrPattern = `^${octet}(\\.${octet}){3}/(3[0-2]|[12]?\\d)$`;
/** An IPv4 block in CIDR form. */
export const Cidr = Type.String({
  pattern: cidrPattern,
  description: 'IPv4 block, as 10.20.0.0/16',
});

/** Where cameras may be. An announced address outside these blocks is shown but never contacted. */
export const NetworkSettings = Shape({ cameraNetworks: Type.Array(Cidr, { maxItems: 64 }) });

/** How much room recordings may take. For how long they are kept is the matter of their retention class. */
export const StorageSettings = Shape({
  minFreeBytes: Type.Integer({
    minimum: 100_000_000,
    default: 2_000_000_000,
    description:
      'Kept free on the recordings disk; recorders need 32 MB to begin, or a disk once full would never record again',
  }),
  maxBytes: OrNull(Type.Integer({ minimum: 1_000_000, description: 'Upper limit for all recordings' })),
  warnDaysLeft: Type.Number({ minimum: 0, default: 2, description: 'Warn when fewer days of room are left' }),
});

/** How often cameras are looked at, and how sure a fault must be. */
export const HealthSettings = Shape({
  probeIntervalMs: Type.Integer({ minimum: 2_000, maximum: 3_600_000, default: 30_000 }),
  retryIntervalMs: Type.Integer({
    minimum: 1_000,
    maximum: 600_000,
    default: 5_000,
    description: 'After a failed look',
  }),
  failuresToFault: Type.Integer({ minimum: 2, maximum: 20, default: 3 }),
  successesToRecover: Type.Integer({ minimum: 1, maximum: 20, default: 2 }),
});

const ExportLimit = Shape({
  longestMinutes: OrNull(Type.Integer({ minimum: 1, maximum: 720, description: 'Of one clip' })),
  mostPerDay: OrNull(Type.Integer({ minimum: 1, maximum: 1000, description: 'Clips a person may ask for' })),
});
/** How footage may leave. Without the two-person rule whoever makes a package may take it. */
export const EvidenceSettings = Shape({
  isTwoPersonRuleOn: Type.Boolean({
    description: 'A package may be downloaded only once a second person approved it; single clips not at all',
  }),
  limits: Shape({ security: ExportLimit, admin: ExportLimit }),
});

/** The hospital, as printed on pages and reports. */
export const SiteSettings = Shape({ hospitalName: Type.String({ maxLength: 80 }) });

/** Whether the first-run page was done or left for good. */
export const SetupSettings = Shape({ isDone: Type.Boolean() });

export const Settings = Shape({
  setup: SetupSettings,
  site: SiteSettings,
  network: NetworkSettings,
  storage: StorageSettings,
  health: HealthSettings,
  evidence: EvidenceSettings,
});
export type Settings = Static<typeof Settings>;
export type SettingsKey = keyof Settings;
export const SettingsChange = Type.Partial(Settings, { additionalProperties: false });
