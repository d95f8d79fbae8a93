import { Type, type Static } from 'typebox';
import { AuditEntry } from '#api/auth/schema.ts';
import { Export, ExportMode, PictureRegion, Span } from '#api/footage/schema.ts';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

const text = (maxLength: number, minLength = 1) => Type.String({ minLength, maxLength });
const facts = {
  title: text(120),
  requester: text(80),
  organisation: text(120),
  legalBasis: text(200),
  reason: text(500, 2),
  authoriser: text(80),
};

/** A case is opened before footage leaves: who wants it, on what ground, who allowed it. */
export const NewCase = Shape({
  /** Given by the person, as the police's own number; left out, the site's next one of the year. */
  number: Type.Optional(Type.String({ pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N} ._()（）〔〕-]{0,39}$' })),
  ...facts,
  notes: Type.Optional(Type.String({ maxLength: 4000 })),
});
export type NewCase = Static<typeof NewCase>;
export const CaseChange = Shape({
  version: Type.Integer(),
  title: Type.Optional(facts.title),
  requester: Type.Optional(facts.requester),
  organisation: Type.Optional(facts.organisation),
  legalBasis: Type.Optional(facts.legalBasis),
  reason: Type.Optional(facts.reason),
  authoriser: Type.Optional(facts.authoriser),
  notes: Type.Optional(Type.String({ maxLength: 4000 })),
  state: Type.Optional(OneOf(['open', 'closed'])),
});
export type CaseChange = Static<typeof CaseChange>;

const summary = {
  id: Id,
  number: Type.String(),
  title: Type.String(),
  requester: Type.String(),
  organisation: Type.String(),
  state: OneOf(['open', 'closed']),
  clipCount: Type.Integer(),
  createdByName: Type.String(),
  createdAt: Instant,
  updatedAt: Instant,
  closedAt: OrNull(Instant),
  version: Type.Integer({ description: 'Sent back with a change; a stale one is refused' }),
};
export const CaseSummary = Shape(summary);
export type CaseSummary = Static<typeof CaseSummary>;
export const CaseList = Shape({ cases: Type.Array(CaseSummary) });

export const Package = Shape({
  id: Id,
  number: Type.Integer({ description: 'Within the case, from 1' }),
  state: OneOf(['queued', 'running', 'ready', 'failed']),
  progress: OrNull(Type.Number()),
  clipCount: Type.Integer(),
  requestedByName: Type.String(),
  requestedAt: Instant,
  /** Asked for by whoever looks at it now: then somebody else must approve. */
  isOwn: Type.Boolean(),
  approvedByName: OrNull(Type.String()),
  approvedAt: OrNull(Instant),
  /** Ready, and approved where the two-person rule asks for it. */
  isReleased: Type.Boolean(),
  madeAt: OrNull(Instant),
  fileName: Type.String(),
  sizeBytes: OrNull(Type.Integer()),
  sha256: OrNull(Type.String()),
  manifestSha256: OrNull(Type.String()),
  error: OrNull(Type.String()),
});
export type Package = Static<typeof Package>;

const handover = { receivedBy: text(80), organisation: text(120), idShown: text(120), medium: text(120) };
export const NewHandover = Shape({
  packageId: Id,
  ...handover,
  notes: Type.Optional(Type.String({ maxLength: 1000 })),
});
export type NewHandover = Static<typeof NewHandover>;
export const Handover = Shape({
  id: Id,
  packageId: Id,
  packageNumber: Type.Integer(),
  ...handover,
  notes: Type.String(),
  handedByName: Type.String(),
  handedAt: Instant,
  packageSha256: Type.String(),
});
export type Handover = Static<typeof Handover>;

export const Case = Shape({
  ...summary,
  legalBasis: Type.String(),
  reason: Type.String(),
  authoriser: Type.String(),
  notes: Type.String(),
  clips: Type.Array(Export, { description: 'Clips and stills, in the order they were added' }),
  packages: Type.Array(Package, { description: 'Newest first' }),
  handovers: Type.Array(Handover, { description: 'Newest first' }),
  needsApproval: Type.Boolean({ description: 'The two-person rule is on' }),
});
export type Case = Static<typeof Case>;

/** Adds a clip or still to a case. A still is taken at `fromAt`; its `toAt` is not looked at. */
export const NewCaseClip = Shape({
  channelId: Id,
  fromAt: Instant,
  toAt: Instant,
  mode: ExportMode,
  hidden: Type.Optional(Type.Array(PictureRegion, { maxItems: 20 })),
});
export type NewCaseClip = Static<typeof NewCaseClip>;

export const PackageQuery = Shape({
  number: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Left out: the newest that may be downloaded' }),
  ),
});
export const PackageParams = Shape({ id: Id, packageId: Id });
export const ClipParams = Shape({ id: Id, exportId: Id });
export const CaseHistory = Shape({ entries: Type.Array(AuditEntry, { description: 'Oldest first' }) });
/** The key that packages are signed with. `fingerprint`: SHA-256 (hex) of the public key's SPKI bytes. */
export const EvidenceKey = Shape({
  fingerprint: Type.String(),
  publicKey: Type.String({ description: 'SPKI, base64' }),
});
export type EvidenceKey = Static<typeof EvidenceKey>;

/** What a manifest says of a clip or still. Null is what nobody knows. */
export const ManifestClip = Shape({
  exportId: Id,
  mode: ExportMode,
  part: Type.Integer({ description: 'From 1; several where codec or picture size changed' }),
  parts: Type.Integer(),
  source: OneOf(['own', 'device']),
  camera: Shape({
    channelId: Id,
    name: Type.String(),
    manufacturer: OrNull(Type.String()),
    model: OrNull(Type.String()),
    serialNumber: OrNull(Type.String()),
    firmwareVersion: OrNull(Type.String()),
    mac: OrNull(Type.String()),
    address: OrNull(Type.String()),
  }),
  asked: Span,
  covered: Type.Array(Span),
  gaps: Type.Array(Span),
  leadMs: Type.Number({ description: 'Pictures from before the asked start' }),
  tailMs: Type.Number({ description: 'Pictures from after the asked end' }),
  durationMs: Type.Number(),
  frameCount: Type.Integer({ description: 'Of all parts' }),
  videoCodec: Type.String(),
  hasAudio: Type.Boolean(),
  hidden: Type.Array(PictureRegion),
  clock: Shape({
    basis: OneOf(['server']),
    appliedOffsetMs: Type.Number({
      description: 'Added to the times of the source; own recordings need none',
    }),
    cameraSkewMs: OrNull(
      Type.Number({ description: "Camera's clock minus the server's, when last measured" }),
    ),
    cameraSkewCheckedAt: OrNull(Instant),
  }),
  ffmpeg: Shape({ version: OrNull(Type.String()), arguments: Type.Array(Type.String()) }),
  reason: Type.String(),
  requestedBy: Type.String(),
  requestedAt: Instant,
  finishedAt: OrNull(Instant),
});
export type ManifestClip = Static<typeof ManifestClip>;

export const manifestFormat = 'weian-evidence/1';
/** `manifest.json` of a package. Its bytes as they stand are what is signed. */
export const Manifest = Shape({
  format: Type.Literal(manifestFormat),
  case: Shape({
    number: Type.String(),
    title: Type.String(),
    requester: Type.String(),
    organisation: Type.String(),
    legalBasis: Type.String(),
    reason: Type.String(),
    authoriser: Type.String(),
  }),
  package: Shape({
    id: Id,
    number: Type.Integer(),
    madeAt: Instant,
    requestedBy: Type.String(),
    requestedAt: Instant,
    site: Type.String(),
    timeZone: Type.String(),
    software: Type.String(),
    keyFingerprint: Type.String(),
  }),
  files: Type.Array(
    Shape({
      path: Type.String({ minLength: 1, maxLength: 300 }),
      kind: OneOf(['clip', 'still', 'cover', 'player', 'readme']),
      sizeBytes: Type.Integer({ minimum: 0 }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      clip: Type.Optional(ManifestClip),
    }),
    { maxItems: 2000 },
  ),
});
export type Manifest = Static<typeof Manifest>;
/** `manifest.sig`: Ed25519 (RFC 8032) over the bytes of `manifest.json`. */
export const ManifestSignature = Shape({
  algorithm: Type.Literal('Ed25519'),
  publicKey: Type.String({ maxLength: 100, description: 'SPKI, base64' }),
  signature: Type.String({ maxLength: 100, description: '64 bytes, base64' }),
});
export type ManifestSignature = Static<typeof ManifestSignature>;
