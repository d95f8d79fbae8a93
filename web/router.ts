import { createRouter } from 'sv-router';

/** Every address of the console and its page, loaded when first visited. Names, icons, rights and shortcuts are in pages.ts. */
export const { p, navigate, isActive, route } = createRouter({
  '/': () => import('./routes/Home.svelte'),
  '/map': () => import('./routes/Map.svelte'),
  '/live': () => import('./routes/Live.svelte'),
  '/archive': () => import('./routes/Archive.svelte'),
  '/exports': () => import('./routes/Exports.svelte'),
  '/storage': () => import('./routes/Storage.svelte'),
  '/cases': () => import('./routes/Cases.svelte'),
  '/cases/:id': () => import('./routes/Case.svelte'),
  '/verify': () => import('./routes/Verify.svelte'),
  '/devices': () => import('./routes/Devices.svelte'),
  '/discovery': () => import('./routes/Discovery.svelte'),
  '/tickets': () => import('./routes/Tickets.svelte'),
  '/users': () => import('./routes/Users.svelte'),
  '/audit': () => import('./routes/Audit.svelte'),
  '/settings': () => import('./routes/Settings.svelte'),
  '/system': () => import('./routes/System.svelte'),
  '/account': () => import('./routes/Account.svelte'),
  '*': () => import('./routes/NotFound.svelte'),
});
