import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { principalOf } from '#api/http/guard.ts';
import { IdParams } from '#api/http/schema.ts';
import { AssigneeList, NewNote, NewTicket, Ticket, TicketChange, TicketList, TicketQuery } from './schema.ts';
import type { TicketService } from './service.ts';

/** The ticket list and one ticket with its notes. */
export function registerTicketRoutes(app: FastifyInstance, { tickets }: { tickets: TicketService }): void {
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  const read = { permission: 'tickets.read' } as const;
  const edit = { permission: 'tickets.edit' } as const;
  typed.get(
    '/api/tickets',
    { config: read, schema: { querystring: TicketQuery, response: { 200: TicketList } } },
    async (request) => ({ tickets: await tickets.list(request.query) }),
  );
  typed.get(
    '/api/tickets/assignees',
    { config: edit, schema: { response: { 200: AssigneeList } } },
    async () => ({ assignees: await tickets.listAssignees() }),
  );
  typed.get(
    '/api/tickets/:id',
    { config: read, schema: { params: IdParams, response: { 200: Ticket } } },
    (request) => tickets.get(request.params.id),
  );
  typed.post(
    '/api/tickets',
    { config: edit, schema: { body: NewTicket, response: { 201: Ticket } } },
    async (request, reply) =>
      reply.status(201).send(await tickets.create(request.body, principalOf(request))),
  );
  typed.patch(
    '/api/tickets/:id',
    { config: edit, schema: { params: IdParams, body: TicketChange, response: { 200: Ticket } } },
    (request) => tickets.change(request.params.id, request.body, principalOf(request)),
  );
  typed.post(
    '/api/tickets/:id/notes',
    { config: edit, schema: { params: IdParams, body: NewNote, response: { 200: Ticket } } },
    (request) => tickets.addNote(request.params.id, request.body.body, principalOf(request)),
  );
}
