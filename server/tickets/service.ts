import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { toWire, toWireOrNull, type Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Principal } from '#api/http/guard.ts';
import { siteDay } from '#api/site-time.ts';
import type { NewTicket, Ticket, TicketChange, TicketNote, TicketSummary } from './schema.ts';
import type { NoteRecord, TicketRecord, TicketStore } from './store.ts';

type Author = Pick<Principal, 'userId' | 'displayName'>;
interface ChannelRef {
  readonly channelId: string;
  readonly deviceId: string;
  readonly name: string;
}
export interface OpenedFault {
  readonly faultId: string;
  readonly channel: ChannelRef;
  readonly kind: 'channel-offline' | 'channel-degraded';
  readonly reason: string;
  readonly at: number;
}
export interface RecoveredFault {
  readonly ticketId: string;
  readonly faultId: string;
  readonly channel: ChannelRef;
  readonly openedAt: number;
  readonly at: number;
}
type TicketRef = Pick<TicketRecord, 'id' | 'number'>;

/** What health needs of tickets. Both write inside the caller's transaction; the caller emits once it is committed. */
export interface FaultTickets {
  /** Opens a ticket, or joins the one of the same device that still waits for work: a dead NVR is one job, not eight. */
  openForFault(fault: OpenedFault, trx: Knex.Transaction): Promise<TicketRef>;
  /** Notes the recovery. Closes nothing: a person decides whether the cause is gone. */
  noteRecovery(fault: RecoveredFault, trx: Knex.Transaction): Promise<TicketRef | undefined>;
}

export interface TicketServiceOptions {
  readonly db: Knex;
  readonly store: TicketStore;
  readonly findChannel: (channelId: string) => ChannelRef | undefined;
  /** Active people whose role may edit tickets. */
  readonly listAssignees: () => Promise<{ id: string; displayName: string }[]>;
  readonly audit: AuditTrail;
  readonly bus: EventBus;
  readonly siteTimeZone: string;
  readonly now: Now;
}

const openStates = ['new', 'assigned', 'waiting', 'resolved'] as const;
/** Shown as the author of what the server itself writes; the console words it. */
const systemAuthor = 'system';

/** HIS and device tickets. Every change leaves a note; a change made on a stale copy is refused, never merged silently. */
export function createTicketService(options: TicketServiceOptions) {
  const { db, store, audit, bus, now } = options;

  async function get(id: string): Promise<Ticket> {
    const ticket = await store.find(id);
    if (!ticket) throw new AppError('not-found');
    const notes = await store.listNotes(id);
    return { ...toSummary(ticket), description: ticket.description, notes: notes.map(toWireNote) };
  }

  async function openTicket(
    ticket: Omit<Parameters<TicketStore['insert']>[0], 'number'>,
    trx: Knex.Transaction,
  ): Promise<TicketRef> {
    const number = await store.nextNumber(siteDay(ticket.at, options.siteTimeZone).replaceAll('-', ''), trx);
    return { id: await store.insert({ ...ticket, number }, trx), number };
  }

  const faultTickets: FaultTickets = {
    async openForFault(fault, trx) {
      const { channel, faultId, kind, reason, at } = fault;
      const joined = await store.findActiveForDevice(channel.deviceId, trx);
      const ticket =
        joined ??
        (await openTicket(
          {
            kind: 'device',
            title: channel.name,
            description: '',
            deviceId: channel.deviceId,
            channelId: channel.channelId,
            faultId,
            createdBy: null,
            at,
          },
          trx,
        ));
      if (joined) await store.setFault(joined.id, faultId, at, trx);
      const body = JSON.stringify({ channelName: channel.name, kind, reason });
      await store.addNote(
        ticket.id,
        { at, authorId: null, authorName: systemAuthor, kind: 'fault-opened', body },
        trx,
      );
      return { id: ticket.id, number: ticket.number };
    },

    async noteRecovery({ ticketId, channel, openedAt, at }, trx) {
      const ticket = await store.find(ticketId, trx);
      if (!ticket) return undefined;
      const body = JSON.stringify({ channelName: channel.name, downMs: at - openedAt });
      await store.addNote(
        ticketId,
        { at, authorId: null, authorName: systemAuthor, kind: 'fault-recovered', body },
        trx,
      );
      return { id: ticket.id, number: ticket.number };
    },
  };

  return {
    ...faultTickets,
    get,
    listAssignees: options.listAssignees,

    async list(query: {
      state?: 'open' | 'all' | TicketSummary['state'];
      channelId?: string;
      text?: string;
      limit?: number;
    }): Promise<TicketSummary[]> {
      const { state = 'open', limit = 200, ...rest } = query;
      const states = state === 'all' ? null : state === 'open' ? openStates : [state];
      return (await store.list({ ...rest, states, limit })).map(toSummary);
    },

    /** Tickets of some channels opened in a stretch of time (epoch ms), newest first. */
    listOpenedIn: store.listOpenedIn,

    async create(input: NewTicket, author: Author): Promise<Ticket> {
      const channel = input.channelId ? options.findChannel(input.channelId) : undefined;
      if (input.channelId && !channel) throw new AppError('not-found', { field: 'channelId' });
      const ticket = await db.transaction(async (trx) => {
        const made = await openTicket(
          {
            kind: input.kind,
            title: input.title,
            description: input.description ?? '',
            deviceId: channel?.deviceId ?? null,
            channelId: channel?.channelId ?? null,
            faultId: null,
            createdBy: author.userId,
            at: now(),
          },
          trx,
        );
        const detail = { number: made.number, title: input.title };
        await audit.record(
          { action: 'ticket.created', actor: author, subjectType: 'ticket', subjectId: made.id, detail },
          trx,
        );
        return made;
      });
      bus.emit({ name: 'ticket.changed', ticketId: ticket.id, number: ticket.number });
      return get(ticket.id);
    },

    /** @throws AppError conflict.version when somebody changed it since; not-found for an unknown ticket or assignee */
    async change(id: string, input: TicketChange, author: Author): Promise<Ticket> {
      const assignees = input.assigneeId ? await options.listAssignees() : [];
      const assignee = assignees.find((person) => person.id === input.assigneeId);
      if (input.assigneeId && !assignee) throw new AppError('not-found', { field: 'assigneeId' });
      const number = await db.transaction(async (trx) => {
        const before = await store.find(id, trx);
        if (!before) throw new AppError('not-found');
        const at = now();
        const state = input.state ?? (input.assigneeId && before.state === 'new' ? 'assigned' : before.state);
        const isUnchanged = state === before.state;
        const changed = await store.change(
          id,
          input.version,
          {
            ...(input.title === undefined ? {} : { title: input.title }),
            ...(input.assigneeId === undefined ? {} : { assigneeId: input.assigneeId }),
            ...(isUnchanged ? {} : { state, closedAt: state === 'closed' ? at : null }),
          },
          at,
          trx,
        );
        if (!changed) throw new AppError('conflict.version');
        const facts = {
          ...(isUnchanged ? {} : { state: { from: before.state, to: state } }),
          ...(input.assigneeId === undefined || input.assigneeId === before.assigneeId
            ? {}
            : { assignee: { from: before.assigneeName, to: assignee?.displayName ?? null } }),
          ...(input.title === undefined || input.title === before.title
            ? {}
            : { title: { from: before.title, to: input.title } }),
        };
        await store.addNote(
          id,
          {
            at,
            authorId: author.userId,
            authorName: author.displayName,
            kind: 'change',
            body: JSON.stringify(facts),
          },
          trx,
        );
        await audit.record(
          { action: 'ticket.changed', actor: author, subjectType: 'ticket', subjectId: id, detail: facts },
          trx,
        );
        return before.number;
      });
      bus.emit({ name: 'ticket.changed', ticketId: id, number });
      return get(id);
    },

    async addNote(id: string, body: string, author: Author): Promise<Ticket> {
      const number = await db.transaction(async (trx) => {
        const ticket = await store.find(id, trx);
        if (!ticket) throw new AppError('not-found');
        await store.addNote(
          id,
          { at: now(), authorId: author.userId, authorName: author.displayName, kind: 'note', body },
          trx,
        );
        return ticket.number;
      });
      bus.emit({ name: 'ticket.changed', ticketId: id, number });
      return get(id);
    },
  };
}
export type TicketService = ReturnType<typeof createTicketService>;

function toSummary(ticket: TicketRecord): TicketSummary {
  const { description: _description, ...summary } = ticket;
  return {
    ...summary,
    createdAt: toWire(ticket.createdAt),
    updatedAt: toWire(ticket.updatedAt),
    closedAt: toWireOrNull(ticket.closedAt),
  };
}

function toWireNote(note: NoteRecord): TicketNote {
  return { ...note, at: toWire(note.at) };
}
