import { Type, type Static } from 'typebox';
import { Id, Instant, OneOf, OrNull, Shape } from '#api/http/schema.ts';

export const TicketState = OneOf(['new', 'assigned', 'waiting', 'resolved', 'closed']);
export const TicketNote = Shape({
  id: Id,
  at: Instant,
  authorName: Type.String(),
  kind: OneOf(['note', 'change', 'fault-opened', 'fault-recovered']),
  body: Type.String({ description: 'Text for note; JSON facts for the other kinds, worded by the console' }),
});
export type TicketNote = Static<typeof TicketNote>;
const summary = {
  id: Id,
  number: Type.String(),
  kind: OneOf(['his', 'device']),
  title: Type.String(),
  state: TicketState,
  deviceId: OrNull(Id),
  channelId: OrNull(Id),
  channelName: OrNull(Type.String()),
  faultId: OrNull(Id),
  isFaultOpen: OrNull(Type.Boolean()),
  assigneeId: OrNull(Id),
  assigneeName: OrNull(Type.String()),
  createdAt: Instant,
  updatedAt: Instant,
  closedAt: OrNull(Instant),
  version: Type.Integer({ description: 'Sent back with a change; a stale one is refused' }),
};
export const TicketSummary = Shape(summary);
export type TicketSummary = Static<typeof TicketSummary>;
export const Ticket = Shape({ ...summary, description: Type.String(), notes: Type.Array(TicketNote) });
export type Ticket = Static<typeof Ticket>;
export const TicketQuery = Shape({
  state: Type.Optional(OneOf(['open', 'new', 'assigned', 'waiting', 'resolved', 'closed', 'all'])),
  channelId: Type.Optional(Id),
  text: Type.Optional(Type.String({ maxLength: 80 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
});
export const TicketList = Shape({ tickets: Type.Array(TicketSummary) });
export const NewTicket = Shape({
  kind: OneOf(['his', 'device']),
  title: Type.String({ minLength: 1, maxLength: 120 }),
  description: Type.Optional(Type.String({ maxLength: 4000 })),
  channelId: Type.Optional(OrNull(Id)),
});
export type NewTicket = Static<typeof NewTicket>;
export const TicketChange = Shape({
  version: Type.Integer(),
  title: Type.Optional(Type.String({ minLength: 1, maxLength: 120 })),
  state: Type.Optional(TicketState),
  assigneeId: Type.Optional(OrNull(Id)),
});
export type TicketChange = Static<typeof TicketChange>;
export const NewNote = Shape({ body: Type.String({ minLength: 1, maxLength: 4000 }) });
/** People a ticket can be given to. */
export const AssigneeList = Shape({ assignees: Type.Array(Shape({ id: Id, displayName: Type.String() })) });
