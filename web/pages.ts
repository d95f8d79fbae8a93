import House from '@lucide/svelte/icons/house';
import Ticket from '@lucide/svelte/icons/ticket';
import type { Permission } from '#api/auth/permissions.ts';
import type { Icon } from './lib/actions.ts';
import { m } from './paraglide/messages.js';

/** A page as the navigation, the keyboard and the right to see it know it. */
export interface Page {
  readonly path: `/${string}`;
  readonly title: () => string;
  readonly icon: Icon;
  /** Without it the page is not offered, and its address shows the Forbidden page. */
  readonly permission: Permission;
  /** Pressed after `g`. */
  readonly key: string;
  /** Where the side navigation puts it. */
  readonly group: 'watch' | 'work' | 'manage';
  /** One of the four on a phone's bottom bar; the rest are in its menu. */
  readonly isOnBottomBar?: boolean;
}

/** In the order of the side navigation. */
export const pages: readonly Page[] = [
  {
    path: '/',
    title: m.common_page_home,
    icon: House,
    permission: 'self',
    key: 'h',
    group: 'watch',
    isOnBottomBar: true,
  },
  {
    path: '/tickets',
    title: m.common_page_tickets,
    icon: Ticket,
    permission: 'tickets.read',
    key: 't',
    group: 'work',
    isOnBottomBar: true,
  },
];

/** The page an address belongs to: the longest path it starts with. */
export function pageAt(pathname: string): Page | undefined {
  return pages
    .filter((page) => pathname === page.path || (page.path !== '/' && pathname.startsWith(`${page.path}/`)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}
