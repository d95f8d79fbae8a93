import type { Static } from 'typebox';
import type {
  AssigneeList,
  NewTicket,
  Ticket,
  TicketChange,
  TicketList,
  TicketQuery,
  TicketSummary,
} from '#api/tickets/schema.ts';
import { api } from '../../lib/api.ts';

/** Newest first. @throws ApiError */
export async function listTickets(
  query: Static<typeof TicketQuery>,
  signal?: AbortSignal,
): Promise<TicketSummary[]> {
  const { tickets } = await api.get<Static<typeof TicketList>>('/api/tickets', query, signal);
  return tickets;
}

/** @throws ApiError `not-found` */
export function getTicket(id: string, signal?: AbortSignal): Promise<Ticket> {
  return api.get<Ticket>(`/api/tickets/${encodeURIComponent(id)}`, {}, signal);
}

export function createTicket(ticket: NewTicket): Promise<Ticket> {
  return api.post<Ticket>('/api/tickets', ticket);
}

/** @throws ApiError `conflict.version` when somebody changed it since `change.version` was read */
export function changeTicket(id: string, change: TicketChange): Promise<Ticket> {
  return api.patch<Ticket>(`/api/tickets/${encodeURIComponent(id)}`, change);
}

export function addNote(id: string, body: string): Promise<Ticket> {
  return api.post<Ticket>(`/api/tickets/${encodeURIComponent(id)}/notes`, { body });
}

/** People a ticket can be given to. */
export async function listAssignees(signal?: AbortSignal): Promise<Static<typeof AssigneeList>['assignees']> {
  const { assignees } = await api.get<Static<typeof AssigneeList>>('/api/tickets/assignees', {}, signal);
  return assignees;
}
