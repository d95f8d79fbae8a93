import type { Knex } from 'knex';
import { dialectOf, type Db } from '#api/db/database.ts';
import { newId } from '#api/db/ids.ts';
import type { TicketNote, TicketSummary } from './schema.ts';

type State = TicketSummary['state'];

/** A ticket with the names a list shows. Instants are epoch ms. */
export interface TicketRecord {
  readonly id: string;
  readonly number: string;
  readonly kind: 'his' | 'device';
  readonly title: string;
  readonly description: string;
  readonly state: State;
  readonly deviceId: string | null;
  readonly channelId: string | null;
  readonly channelName: string | null;
  readonly faultId: string | null;
  /** null: no fault belongs to it. */
  readonly isFaultOpen: boolean | null;
  readonly assigneeId: string | null;
  readonly assigneeName: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly closedAt: number | null;
  readonly version: number;
}

export interface NoteRecord {
  readonly id: string;
  readonly at: number;
  readonly authorName: string;
  readonly kind: TicketNote['kind'];
  readonly body: string;
}

interface TicketRow {
  id: string;
  number: string;
  kind: 'his' | 'device';
  title: string;
  description: string;
  state: State;
  device_id: string | null;
  channel_id: string | null;
  channel_name: string | null;
  fault_id: string | null;
  fault_opened_at: number | null;
  fault_recovered_at: number | null;
  assignee_id: string | null;
  assignee_name: string | null;
  created_at: number;
  updated_at: number;
  closed_at: number | null;
  version: number;
}

const toTicket = (row: TicketRow): TicketRecord => ({
  id: row.id,
  number: row.number,
  kind: row.kind,
  title: row.title,
  description: row.description,
  state: row.state,
  deviceId: row.device_id,
  channelId: row.channel_id,
  channelName: row.channel_name,
  faultId: row.fault_id,
  isFaultOpen: row.fault_opened_at === null ? null : row.fault_recovered_at === null,
  assigneeId: row.assignee_id,
  assigneeName: row.assignee_name,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  closedAt: row.closed_at,
  version: row.version,
});

export interface NewTicketRow {
  readonly number: string;
  readonly kind: 'his' | 'device';
  readonly title: string;
  readonly description: string;
  readonly deviceId: string | null;
  readonly channelId: string | null;
  readonly faultId: string | null;
  readonly createdBy: string | null;
  readonly at: number;
}

/** Any number unlike the audit chain's: serialises numbering on PostgreSQL; SQLite has one writer anyway. */
const numberLock = 7_202_412;

/** Queries of tickets and ticket_notes. */
export function createTicketStore(db: Knex) {
  const selectTickets = (trx: Db) =>
    trx('tickets')
      .leftJoin('channels', 'channels.id', 'tickets.channel_id')
      .leftJoin('faults', 'faults.id', 'tickets.fault_id')
      .leftJoin('users', 'users.id', 'tickets.assignee_id')
      .select(
        'tickets.*',
        'channels.name as channel_name',
        'faults.opened_at as fault_opened_at',
        'faults.recovered_at as fault_recovered_at',
        'users.display_name as assignee_name',
      );

  return {
    /** The next free number of `day` (YYYYMMDD in the site zone), as `20261124-0007`. Call inside a transaction. */
    async nextNumber(day: string, trx: Knex.Transaction): Promise<string> {
      if (dialectOf(trx) === 'postgres') await trx.raw('SELECT pg_advisory_xact_lock(?)', [numberLock]);
      const last: { number: string } | undefined = await trx('tickets')
        .where('number', 'like', `${day}-%`)
        .orderBy('created_at', 'desc')
        .orderBy('number', 'desc')
        .select('number')
        .first();
      const count = last ? Number(last.number.slice(day.length + 1)) : 0;
      return `${day}-${String(count + 1).padStart(4, '0')}`;
    },

    async insert(ticket: NewTicketRow, trx: Db): Promise<string> {
      const id = newId();
      await trx('tickets').insert({
        id,
        number: ticket.number,
        kind: ticket.kind,
        title: ticket.title,
        description: ticket.description,
        state: 'new',
        device_id: ticket.deviceId,
        channel_id: ticket.channelId,
        fault_id: ticket.faultId,
        created_by: ticket.createdBy,
        created_at: ticket.at,
        updated_at: ticket.at,
      });
      return id;
    },

    async find(id: string, trx: Db = db): Promise<TicketRecord | undefined> {
      const row: TicketRow | undefined = await selectTickets(trx).where('tickets.id', id).first();
      return row && toTicket(row);
    },

    /** The newest ticket of a device that still waits for work. */
    async findActiveForDevice(deviceId: string, trx: Db): Promise<TicketRecord | undefined> {
      const row: TicketRow | undefined = await selectTickets(trx)
        .where({ 'tickets.device_id': deviceId, 'tickets.kind': 'device' })
        .whereIn('tickets.state', ['new', 'assigned', 'waiting'])
        .whereNotNull('tickets.fault_id')
        .orderBy('tickets.created_at', 'desc')
        .first();
      return row && toTicket(row);
    },

    /** Newest first. `text` is looked for in number, title and channel name. */
    async list(query: {
      states: readonly State[] | null;
      channelId?: string;
      text?: string;
      limit: number;
    }): Promise<TicketRecord[]> {
      const select = selectTickets(db).orderBy('tickets.created_at', 'desc').limit(query.limit);
      if (query.states) select.whereIn('tickets.state', [...query.states]);
      if (query.channelId !== undefined) select.where('tickets.channel_id', query.channelId);
      if (query.text) {
        const pattern = `%${query.text.replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`;
        select.where((any) => {
          for (const column of ['tickets.number', 'tickets.title', 'channels.name'])
            any.orWhereRaw("?? like ? escape '\\'", [column, pattern]);
        });
      }
      const rows: TicketRow[] = await select;
      return rows.map(toTicket);
    },

    /** Tickets of some channels opened in a stretch of time (epoch ms), newest first. */
    async listOpenedIn(
      channelIds: readonly string[],
      range: { fromAt: number; toAt: number },
      limit: number,
    ): Promise<{ id: string; channelId: string; title: string; createdAt: number }[]> {
      const rows: { id: string; channel_id: string; title: string; created_at: number }[] = await db(
        'tickets',
      )
        .whereIn('channel_id', [...channelIds])
        .andWhere('created_at', '>=', range.fromAt)
        .andWhere('created_at', '<', range.toAt)
        .orderBy('created_at', 'desc')
        .limit(limit)
        .select('id', 'channel_id', 'title', 'created_at');
      return rows.map((row) => ({
        id: row.id,
        channelId: row.channel_id,
        title: row.title,
        createdAt: row.created_at,
      }));
    },

    /** Changes the columns given if the ticket still has `version`. @returns whether it had */
    async change(
      id: string,
      version: number,
      change: { title?: string; state?: State; assigneeId?: string | null; closedAt?: number | null },
      at: number,
      trx: Db,
    ): Promise<boolean> {
      const columns = {
        ...(change.title === undefined ? {} : { title: change.title }),
        ...(change.state === undefined ? {} : { state: change.state }),
        ...(change.assigneeId === undefined ? {} : { assignee_id: change.assigneeId }),
        ...(change.closedAt === undefined ? {} : { closed_at: change.closedAt }),
      };
      const changed = await trx('tickets')
        .where({ id, version })
        .update({ ...columns, version: version + 1, updated_at: at });
      return changed === 1;
    },

    /** Points a ticket at its newest fault. */
    async setFault(id: string, faultId: string, at: number, trx: Db): Promise<void> {
      await trx('tickets').where({ id }).update({ fault_id: faultId, updated_at: at });
    },

    async addNote(
      ticketId: string,
      note: {
        at: number;
        authorId: string | null;
        authorName: string;
        kind: TicketNote['kind'];
        body: string;
      },
      trx: Db,
    ): Promise<void> {
      await trx('ticket_notes').insert({
        id: newId(),
        ticket_id: ticketId,
        at: note.at,
        author_id: note.authorId,
        author_name: note.authorName,
        kind: note.kind,
        body: note.body,
      });
      await trx('tickets').where({ id: ticketId }).update({ updated_at: note.at });
    },

    /** Oldest first. */
    async listNotes(ticketId: string): Promise<NoteRecord[]> {
      const rows: { id: string; at: number; author_name: string; kind: TicketNote['kind']; body: string }[] =
        await db('ticket_notes').where({ ticket_id: ticketId }).orderBy('at');
      return rows.map((row) => ({
        id: row.id,
        at: row.at,
        authorName: row.author_name,
        kind: row.kind,
        body: row.body,
      }));
    },
  };
}
export type TicketStore = ReturnType<typeof createTicketStore>;
