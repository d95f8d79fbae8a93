import type { TicketNote, TicketSummary } from '#api/tickets/schema.ts';
import { fmt } from '../../lib/time.svelte.ts';
import { m } from '../../paraglide/messages.js';
import { reasonText } from '../health/reason.ts';
import { stateLook, type TicketState } from './labels.ts';

/** What a ticket is called: one the server opened for a fault has only the camera's name. */
export function ticketTitle(ticket: Pick<TicketSummary, 'title' | 'faultId' | 'channelName'>): string {
  const isBare = ticket.faultId !== null && ticket.title === ticket.channelName;
  return isBare ? m.tickets_fault_title({ camera: ticket.title }) : ticket.title;
}

/** Who wrote a note; the server itself signs as `system`. */
export function authorText(note: TicketNote): string {
  return note.authorName === 'system' && note.kind !== 'note' ? m.tickets_author_system() : note.authorName;
}

/** A note as sentences: the text of a person as it is, the facts of a change or a fault put into words. */
export function noteLines(note: TicketNote): string[] {
  if (note.kind === 'note') return [note.body];
  const facts = parseFacts(note.body);
  if (note.kind === 'change') return changeLines(facts);
  const camera = text(facts.channelName) ?? m.common_unknown();
  if (note.kind === 'fault-opened')
    return [
      facts.kind === 'channel-degraded'
        ? m.tickets_note_degraded({ camera, reason: reasonText(text(facts.reason)) })
        : m.tickets_note_offline({ camera, reason: reasonText(text(facts.reason)) }),
    ];
  const downMs = typeof facts.downMs === 'number' ? facts.downMs : null;
  return [m.tickets_note_recovered({ camera, length: fmt().duration(downMs) })];
}

function changeLines(facts: Record<string, unknown>): string[] {
  const lines: string[] = [];
  const state = pair(facts.state);
  if (state) lines.push(m.tickets_note_state({ from: stateText(state.from), to: stateText(state.to) }));
  const assignee = pair(facts.assignee);
  if (assignee)
    lines.push(
      assignee.to === null
        ? m.tickets_note_unassigned({ from: assignee.from ?? m.tickets_unassigned() })
        : m.tickets_note_assigned({ to: assignee.to }),
    );
  const title = pair(facts.title);
  if (title) lines.push(m.tickets_note_title({ to: title.to ?? '' }));
  return lines;
}

function stateText(state: string | null): string {
  return state !== null && state in stateLook ? stateLook[state as TicketState].label() : (state ?? '');
}

function pair(value: unknown): { from: string | null; to: string | null } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { from, to } = value as { from?: unknown; to?: unknown };
  return { from: text(from), to: text(to) };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function parseFacts(body: string): Record<string, unknown> {
  const facts: unknown = JSON.parse(body);
  return typeof facts === 'object' && facts !== null ? (facts as Record<string, unknown>) : {};
}
