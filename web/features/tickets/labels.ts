import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleDashed from '@lucide/svelte/icons/circle-dashed';
import CircleSlash from '@lucide/svelte/icons/circle-slash';
import Hourglass from '@lucide/svelte/icons/hourglass';
import UserCheck from '@lucide/svelte/icons/user-check';
import type { TicketSummary } from '#api/tickets/schema.ts';
import type { Icon } from '../../lib/actions.ts';
import { m } from '../../paraglide/messages.js';

export type TicketState = TicketSummary['state'];
export type TicketKind = TicketSummary['kind'];

/** In the order a ticket passes through them. */
export const ticketStates: readonly TicketState[] = ['new', 'assigned', 'waiting', 'resolved', 'closed'];

export const stateLook: Readonly<
  Record<TicketState, { tone: 'ok' | 'warn' | 'bad' | 'idle' | 'accent'; icon: Icon; label: () => string }>
> = {
  new: { tone: 'bad', icon: CircleDashed, label: m.tickets_state_new },
  assigned: { tone: 'accent', icon: UserCheck, label: m.tickets_state_assigned },
  waiting: { tone: 'warn', icon: Hourglass, label: m.tickets_state_waiting },
  resolved: { tone: 'ok', icon: CircleCheck, label: m.tickets_state_resolved },
  closed: { tone: 'idle', icon: CircleSlash, label: m.tickets_state_closed },
};

export const kindLabel: Readonly<Record<TicketKind, () => string>> = {
  his: m.tickets_kind_his,
  device: m.tickets_kind_device,
};
