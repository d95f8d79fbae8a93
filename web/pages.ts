import Cctv from '@lucide/svelte/icons/cctv';
import Briefcase from '@lucide/svelte/icons/briefcase';
import Clapperboard from '@lucide/svelte/icons/clapperboard';
import Download from '@lucide/svelte/icons/download';
import House from '@lucide/svelte/icons/house';
import MapIcon from '@lucide/svelte/icons/map';
import Radar from '@lucide/svelte/icons/radar';
import HardDrive from '@lucide/svelte/icons/hard-drive';
import HeartPulse from '@lucide/svelte/icons/heart-pulse';
import ShieldCheck from '@lucide/svelte/icons/shield-check';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Settings from '@lucide/svelte/icons/settings';
import Ticket from '@lucide/svelte/icons/ticket';
import Users from '@lucide/svelte/icons/users';
import Video from '@lucide/svelte/icons/video';
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
    path: '/map',
    title: m.map_page,
    icon: MapIcon,
    permission: 'devices.read',
    key: 'm',
    group: 'watch',
    isOnBottomBar: true,
  },
  {
    path: '/live',
    title: m.live_page,
    icon: Video,
    permission: 'live.view',
    key: 'l',
    group: 'watch',
    isOnBottomBar: true,
  },
  {
    path: '/archive',
    title: m.footage_page_archive,
    icon: Clapperboard,
    permission: 'footage.view',
    key: 'f',
    group: 'watch',
  },
  {
    path: '/exports',
    title: m.footage_page_exports,
    icon: Download,
    permission: 'footage.export',
    key: 'e',
    group: 'watch',
  },
  {
    path: '/cases',
    title: m.cases_page,
    icon: Briefcase,
    permission: 'cases.read',
    key: 'c',
    group: 'watch',
  },
  {
    path: '/verify',
    title: m.verify_page,
    icon: ShieldCheck,
    permission: 'cases.read',
    key: 'v',
    group: 'watch',
  },
  {
    path: '/storage',
    title: m.storage_page,
    icon: HardDrive,
    permission: 'footage.view',
    key: 'r',
    group: 'watch',
  },
  {
    path: '/devices',
    title: m.devices_page,
    icon: Cctv,
    permission: 'devices.read',
    key: 'd',
    group: 'work',
  },
  {
    path: '/discovery',
    title: m.discovery_title,
    icon: Radar,
    permission: 'discovery.run',
    key: 'n',
    group: 'work',
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
  {
    path: '/users',
    title: m.common_page_users,
    icon: Users,
    permission: 'users.read',
    key: 'u',
    group: 'manage',
  },
  {
    path: '/audit',
    title: m.common_page_audit,
    icon: ScrollText,
    permission: 'audit.read',
    key: 'a',
    group: 'manage',
  },
  {
    path: '/settings',
    title: m.common_page_settings,
    icon: Settings,
    permission: 'settings.read',
    key: 's',
    group: 'manage',
  },
  {
    path: '/system',
    title: m.common_page_system,
    icon: HeartPulse,
    permission: 'system.read',
    key: 'y',
    group: 'manage',
  },
];

/** The page an address belongs to: the longest path it starts with. */
export function pageAt(pathname: string): Page | undefined {
  return pages
    .filter((page) => pathname === page.path || (page.path !== '/' && pathname.startsWith(`${page.path}/`)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}
