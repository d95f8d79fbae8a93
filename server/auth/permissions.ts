/** Who may do what: the one table that the server enforces and the console reads. Imports nothing. */

export const roles = ['security', 'engineer', 'admin', 'desk', 'viewer', 'auditor'] as const;
export type Role = (typeof roles)[number];

export const permissions = [
  'self', // any logged-in person: own session, own password
  'places.read',
  'places.edit',
  'devices.read',
  'devices.edit',
  'discovery.run',
  'live.view',
  'live.control', // moving a camera: turning it away is not for everybody who may look
  'footage.view',
  'footage.export',
  'footage.hold',
  'exports.read-all',
  'cases.read',
  'cases.edit',
  'cases.approve', // the second person of the two-person rule; never for one's own package
  'health.read',
  'health.check',
  'tickets.read',
  'tickets.edit',
  'users.read',
  'users.edit',
  'settings.read',
  'settings.edit',
  'audit.read',
  'system.read',
] as const;
export type Permission = (typeof permissions)[number];

const lookAround = ['self', 'places.read', 'devices.read', 'health.read', 'tickets.read'] as const;

/** Least privilege: footage and its export are personal data, so the desk and engineers do not get them by default. */
export const permissionsByRole: Readonly<Record<Role, readonly Permission[]>> = {
  security: [
    ...lookAround,
    'live.view',
    'live.control',
    'footage.view',
    'footage.export',
    'footage.hold',
    'cases.read',
    'cases.edit',
    'cases.approve',
    'tickets.edit',
    'health.check',
  ],
  engineer: [
    ...lookAround,
    'places.edit',
    'devices.edit',
    'discovery.run',
    'live.view',
    'live.control',
    'footage.view',
    'health.check',
    'tickets.edit',
    'settings.read',
    'system.read',
  ],
  admin: permissions,
  desk: [...lookAround, 'tickets.edit', 'health.check'],
  viewer: [...lookAround, 'live.view'],
  auditor: [
    ...lookAround,
    'users.read',
    'settings.read',
    'audit.read',
    'exports.read-all',
    'cases.read',
    'system.read',
  ],
};

/** Whether `role` has `permission`. */
export function can(role: Role, permission: Permission): boolean {
  return permissionsByRole[role].includes(permission);
}
