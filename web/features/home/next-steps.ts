import CircleUser from '@lucide/svelte/icons/circle-user';
import Clapperboard from '@lucide/svelte/icons/clapperboard';
import ClipboardList from '@lucide/svelte/icons/clipboard-list';
import MapIcon from '@lucide/svelte/icons/map';
import MapPin from '@lucide/svelte/icons/map-pin';
import Radar from '@lucide/svelte/icons/radar';
import ShieldCheck from '@lucide/svelte/icons/shield-check';
import UserPlus from '@lucide/svelte/icons/user-plus';
import Video from '@lucide/svelte/icons/video';
import type { Permission, Role } from '#api/auth/permissions.ts';
import type { Channel } from '#api/devices/schema.ts';
import type { TicketSummary } from '#api/tickets/schema.ts';
import type { Icon } from '../../lib/actions.ts';
import { fmt } from '../../lib/time.svelte.ts';
import { m } from '../../paraglide/messages.js';

export interface NextStep {
  readonly id: string;
  readonly title: string;
  readonly icon: Icon;
  readonly href: string;
}

export interface Situation {
  readonly role: Role;
  readonly userId: string;
  readonly can: (permission: Permission) => boolean;
  /** Undefined while not loaded: no step is made up from it then. */
  readonly channels: readonly Channel[] | undefined;
  readonly openTickets: readonly TicketSummary[] | undefined;
}

/** What this person most likely has to do now, most pressing first: work that waits, then what their role came for. */
export function nextSteps({ role, userId, can, channels, openTickets }: Situation): NextStep[] {
  const mine = openTickets?.filter((ticket) => ticket.assigneeId === userId).length ?? 0;
  const unassigned = openTickets?.filter((ticket) => ticket.assigneeId === null).length ?? 0;
  const unplaced = channels?.filter((channel) => channel.placeId === null).length ?? 0;
  const count = (size: number) => fmt().number(size);
  const steps: (NextStep & { readonly isShown: boolean })[] = [
    {
      id: 'mine',
      title: m.home_step_mine({ count: count(mine) }),
      icon: CircleUser,
      href: '/tickets?who=me',
      isShown: mine > 0,
    },
    {
      id: 'unassigned',
      title: m.home_step_unassigned({ count: count(unassigned) }),
      icon: ClipboardList,
      href: '/tickets?who=nobody',
      isShown: unassigned > 0 && can('tickets.edit') && role !== 'security',
    },
    {
      id: 'find',
      title: m.home_step_find(),
      icon: Radar,
      href: '/discovery',
      isShown: channels?.length === 0 && can('discovery.run'),
    },
    {
      id: 'unplaced',
      title: m.home_step_unplaced({ count: count(unplaced) }),
      icon: MapPin,
      href: '/map',
      isShown: unplaced > 0 && can('devices.edit'),
    },
    {
      id: 'archive',
      title: m.home_step_archive(),
      icon: Clapperboard,
      href: '/archive',
      isShown: role === 'security',
    },
    {
      id: 'live',
      title: m.home_step_live(),
      icon: Video,
      href: '/live',
      isShown: can('live.view'),
    },
    { id: 'map', title: m.home_step_map(), icon: MapIcon, href: '/map', isShown: role !== 'auditor' },
    {
      id: 'users',
      title: m.home_step_users(),
      icon: UserPlus,
      href: '/users',
      isShown: role === 'admin',
    },
    {
      id: 'audit',
      title: m.home_step_audit(),
      icon: ShieldCheck,
      href: '/audit',
      isShown: role === 'auditor',
    },
  ];
  return steps.filter((step) => step.isShown).slice(0, 5);
}
