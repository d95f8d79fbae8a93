import type { Role } from '#api/auth/permissions.ts';
import { m } from '../../paraglide/messages.js';

/** What people call each role. */
export const roleLabel: Readonly<Record<Role, () => string>> = {
  security: m.auth_role_security,
  engineer: m.auth_role_engineer,
  admin: m.auth_role_admin,
  desk: m.auth_role_desk,
  viewer: m.auth_role_viewer,
  auditor: m.auth_role_auditor,
};

/** What each role may do, in a sentence for whoever gives it. */
export const roleHint: Readonly<Record<Role, () => string>> = {
  security: m.auth_role_hint_security,
  engineer: m.auth_role_hint_engineer,
  admin: m.auth_role_hint_admin,
  desk: m.auth_role_hint_desk,
  viewer: m.auth_role_hint_viewer,
  auditor: m.auth_role_hint_auditor,
};
