import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';
import { Cidr } from '#api/settings/schema.ts';
import { permissions, roles } from './permissions.ts';

export const Locale = OneOf(['zh-CN', 'en']);
export const RoleName = OneOf(roles);
const Username = Type.String({ minLength: 2, maxLength: 40, pattern: '^[\\p{L}\\p{N}._-]+$' });
const Password = Type.String({ minLength: 1, maxLength: 200 });

export const LoginRequest = Shape({
  username: Type.String({ minLength: 1, maxLength: 40 }),
  password: Password,
});
export type LoginRequest = Static<typeof LoginRequest>;

/** The logged-in person, with what the console needs to show only what works. */
export const Session = Shape({
  userId: Id,
  username: Type.String(),
  displayName: Type.String(),
  role: RoleName,
  permissions: Type.Array(OneOf(permissions)),
  locale: Locale,
  mustChangePassword: Type.Boolean(),
  csrfToken: Type.String({ description: 'Sent back in the x-csrf-token header of every changing request' }),
  expiresAt: Instant,
  siteTimeZone: Type.String({ description: 'IANA zone of the site; all wall-clock text is in it' }),
});
export type Session = Static<typeof Session>;

/** What a visitor may know before logging in. */
export const Welcome = Shape({
  hospitalName: Type.String(),
  isFirstRun: Type.Boolean({
    description: 'The first-run page is still to be done: an administrator sees it after logging in',
  }),
  version: Type.String(),
  certificateFingerprint: OrNull(Type.String()),
});
export type Welcome = Static<typeof Welcome>;

/**
 * The first-run page, by the first administrator once logged in. To leave it for good without doing it: `PATCH /api/settings` with
 * `setup.isDone` true.
 */
export const FirstRunRequest = Shape({
  hospitalName: Type.String({ minLength: 1, maxLength: 80 }),
  cameraNetworks: Type.Optional(Type.Array(Cidr, { maxItems: 64 })), // left out: those named at installation stay
  newPassword: Type.Optional(Password), // wanted while the session says mustChangePassword, else as one likes
});
export type FirstRunRequest = Static<typeof FirstRunRequest>;

export const ChangeOwnPassword = Shape({ currentPassword: Password, newPassword: Password });
export type ChangeOwnPassword = Static<typeof ChangeOwnPassword>;
export const ChangeOwnProfile = Shape({ locale: Locale });
export type ChangeOwnProfile = Static<typeof ChangeOwnProfile>;

export const User = Shape({
  id: Id,
  username: Type.String(),
  displayName: Type.String(),
  role: RoleName,
  locale: Locale,
  isActive: Type.Boolean(),
  mustChangePassword: Type.Boolean(),
  isLocked: Type.Boolean({ description: 'Locked for a while after too many wrong passwords' }),
  createdAt: Instant,
  lastLoginAt: OrNull(Instant),
});
export type User = Static<typeof User>;

export const NewUser = Shape({
  username: Username,
  displayName: Type.String({ minLength: 1, maxLength: 60 }),
  role: RoleName,
  password: Password,
});
export type NewUser = Static<typeof NewUser>;
export const UserChange = Type.Partial(
  Shape({
    displayName: Type.String({ minLength: 1, maxLength: 60 }),
    role: RoleName,
    isActive: Type.Boolean(),
    password: Password,
    isLocked: Type.Literal(false, { description: 'Lifts a lock-out' }),
  }),
  { additionalProperties: false },
);
export type UserChange = Static<typeof UserChange>;

/** One row of the trail. `hash` covers every other field and the hash of the row before. */
export const AuditEntry = Shape({
  seq: Type.Integer(),
  at: Instant,
  actorId: OrNull(Id),
  actorName: Type.String(),
  action: Type.String(),
  subjectType: OrNull(Type.String()),
  subjectId: OrNull(Type.String()),
  outcome: OneOf(['ok', 'denied', 'failed']),
  detail: Type.Record(Type.String(), Type.Unknown()),
  ip: OrNull(Type.String()),
  requestId: OrNull(Type.String()),
  hash: Type.String(),
});
export type AuditEntry = Static<typeof AuditEntry>;

export const AuditQuery = Shape({
  beforeSeq: Type.Optional(Type.Integer({ minimum: 1 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  action: Type.Optional(Type.String({ maxLength: 80 })),
  actor: Type.Optional(Type.String({ maxLength: 80 })),
  subjectId: Type.Optional(Type.String({ maxLength: 80 })),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
});
export type AuditQuery = Static<typeof AuditQuery>;
/** Newest first. `nextBeforeSeq` asks for the next page; null: this was the last. */
export const AuditPage = Shape({ entries: Type.Array(AuditEntry), nextBeforeSeq: OrNull(Type.Integer()) });
export type AuditPage = Static<typeof AuditPage>;
export const AuditCheck = Shape({
  isIntact: Type.Boolean(),
  checked: Type.Integer(),
  firstBadSeq: OrNull(Type.Integer()),
  problem: OrNull(OneOf(['row-missing', 'row-misplaced', 'row-changed'])),
  lastHash: Type.String({
    description: 'Note it: a chain cut off at its end shows only against an earlier note',
  }),
});
export type AuditCheck = Static<typeof AuditCheck>;
