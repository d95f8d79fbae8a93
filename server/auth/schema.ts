import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';
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
});
export type Session = Static<typeof Session>;

/** What a visitor may know before logging in. */
export const Welcome = Shape({
  hospitalName: Type.String(),
  isFirstRun: Type.Boolean({ description: 'No administrator has a password yet: show the first-run page' }),
  version: Type.String(),
  certificateFingerprint: OrNull(Type.String()),
});
export type Welcome = Static<typeof Welcome>;

/** First run: only while no user exists, and only with the set-up code printed on the server's console. */
export const FirstRunRequest = Shape({
  setupCode: Type.String({ minLength: 1, maxLength: 64 }),
  hospitalName: Type.String({ minLength: 1, maxLength: 80 }),
  username: Username,
  displayName: Type.String({ minLength: 1, maxLength: 60 }),
  password: Password,
  cameraNetworks: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 64 }),
});
export type FirstRunRequest = Static<typeof FirstRunRequest>;

export const ChangeOwnPassword = Shape({ currentPassword: Password, newPassword: Password });
export const ChangeOwnProfile = Shape({ locale: Locale });

export const User = Shape({
  id: Id,
  username: Type.String(),
  displayName: Type.String(),
  role: RoleName,
  locale: Locale,
  isActive: Type.Boolean(),
  mustChangePassword: Type.Boolean(),
  isLocked: Type.Boolean(),
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
export const AuditPage = Shape({ entries: Type.Array(AuditEntry), nextBeforeSeq: OrNull(Type.Integer()) });
export const AuditCheck = Shape({
  isIntact: Type.Boolean(),
  checked: Type.Integer(),
  firstBadSeq: OrNull(Type.Integer()),
  problem: OrNull(Type.String()),
});
