import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';
import type { Permission } from '#api/auth/permissions.ts';

const base = { at: Instant };
const named = <N extends string, P extends Parameters<typeof Shape>[0]>(name: N, properties: P) =>
  Shape({ name: Type.Literal(name), ...base, ...properties });

/** Facts the server states, past tense. They say what changed and little more: the client asks the API for the rest. */
export const ServerEvent = Type.Union([
  named('places.changed', {}),
  named('device.changed', { deviceId: Id }),
  named('device.removed', { deviceId: Id }),
  named('channel.health-changed', {
    channelId: Id,
    deviceId: Id,
    state: OneOf(['online', 'degraded', 'offline', 'unknown']),
    reason: OrNull(Type.String()),
  }),
  named('fault.opened', { faultId: Id, channelId: Id, reason: Type.String(), ticketId: OrNull(Id) }),
  named('fault.recovered', { faultId: Id, channelId: Id, ticketId: OrNull(Id) }),
  named('ticket.changed', { ticketId: Id, number: Type.String() }),
  named('discovery.progressed', {
    runId: Id,
    state: OneOf(['running', 'done', 'cancelled', 'failed']),
    done: Type.Integer(),
    total: OrNull(Type.Integer()),
    found: Type.Integer(),
  }),
  named('discovery.found', { findingId: Id }),
  named('recording.changed', {
    channelId: Id,
    state: OneOf(['off', 'starting', 'recording', 'waiting', 'disk-full']),
    cause: OrNull(Type.String()),
  }),
  named('export.changed', {
    exportId: Id,
    state: OneOf(['queued', 'running', 'ready', 'failed', 'cancelled']),
    progress: OrNull(Type.Number()),
  }),
  named('case.changed', { caseId: Id }),
  named('backup.changed', { runId: Id }),
  named('storage.changed', { level: OneOf(['ok', 'warning', 'critical']) }),
  named('user.changed', { userId: Id }),
  named('settings.changed', { key: Type.String() }),
]);
export type ServerEvent = Static<typeof ServerEvent>;
export type EventName = ServerEvent['name'];
export type EventOf<N extends EventName> = Extract<ServerEvent, { name: N }>;

/** Who may be told of an event over the socket. */
export const eventPermission: Readonly<Record<EventName, Permission>> = {
  'places.changed': 'places.read',
  'device.changed': 'devices.read',
  'device.removed': 'devices.read',
  'channel.health-changed': 'health.read',
  'fault.opened': 'health.read',
  'fault.recovered': 'health.read',
  'ticket.changed': 'tickets.read',
  'discovery.progressed': 'discovery.run',
  'discovery.found': 'discovery.run',
  'recording.changed': 'devices.read',
  'export.changed': 'footage.export',
  'case.changed': 'cases.read',
  'backup.changed': 'footage.view',
  'storage.changed': 'devices.read',
  'user.changed': 'users.read',
  'settings.changed': 'settings.read',
};

/** First message of a client: where it was. `null`: a fresh page. */
export const ClientMessage = Shape({
  name: Type.Literal('resume'),
  epoch: OrNull(Type.String({ maxLength: 64 })),
  seq: OrNull(Type.Integer({ minimum: 0 })),
});
export type ClientMessage = Static<typeof ClientMessage>;

/**
 * What the socket carries. `hello` answers `resume`: with `isComplete`, everything missed follows as `event`s; without, the
 * server no longer has it all and the client must load its views afresh.
 */
export const SocketMessage = Type.Union([
  Shape({
    name: Type.Literal('hello'),
    epoch: Type.String(),
    seq: Type.Integer(),
    isComplete: Type.Boolean(),
  }),
  Shape({ name: Type.Literal('event'), seq: Type.Integer(), event: ServerEvent }),
]);
export type SocketMessage = Static<typeof SocketMessage>;
