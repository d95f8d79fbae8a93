import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleX from '@lucide/svelte/icons/circle-x';
import ShieldX from '@lucide/svelte/icons/shield-x';
import type { AuditEntry } from '#api/auth/schema.ts';
import { m } from '../../paraglide/messages.js';

/** What was done, by the code the trail keeps. A code that is not here is shown as it is. */
export const actionLabels: Readonly<Record<string, () => string>> = {
  'session.opened': m.audit_session_opened,
  'session.closed': m.audit_session_closed,
  'session.refused': m.audit_session_refused,
  'request.denied': m.audit_request_denied,
  'user.created': m.audit_user_created,
  'user.changed': m.audit_user_changed,
  'user.locked': m.audit_user_locked,
  'user.password-changed': m.audit_user_password_changed,
  'setup.done': m.audit_setup_done,
  'settings.changed': m.audit_settings_changed,
  'audit.verified': m.audit_audit_verified,
  'place.added': m.audit_place_added,
  'place.changed': m.audit_place_changed,
  'place.removed': m.audit_place_removed,
  'place.plan-changed': m.audit_place_plan_changed,
  'discovery.started': m.audit_discovery_started,
  'discovery.cancelled': m.audit_discovery_cancelled,
  'discovery.asked': m.audit_discovery_asked,
  'discovery.added-by-hand': m.audit_discovery_added_by_hand,
  'device.registered': m.audit_device_registered,
  'device.changed': m.audit_device_changed,
  'device.removed': m.audit_device_removed,
  'channel.changed': m.audit_channel_changed,
  'channel.moved': m.audit_channel_moved,
  'live.opened': m.audit_live_opened,
  'footage.viewed': m.audit_footage_viewed,
  'footage.pictures-viewed': m.audit_footage_pictures_viewed,
  'footage.snapshot-taken': m.audit_footage_snapshot_taken,
  'footage.searched': m.audit_footage_searched,
  'footage.bookmarked': m.audit_footage_bookmarked,
  'footage.bookmark-removed': m.audit_footage_bookmark_removed,
  'camera-group.saved': m.audit_camera_group_saved,
  'camera-group.removed': m.audit_camera_group_removed,
  'footage.held': m.audit_footage_held,
  'footage.released': m.audit_footage_released,
  'footage.files-missing': m.audit_footage_files_missing,
  'storage.level-changed': m.audit_storage_level_changed,
  'export.requested': m.audit_export_requested,
  'export.ready': m.audit_export_ready,
  'export.downloaded': m.audit_export_downloaded,
  'export.cancel-requested': m.audit_export_cancel_requested,
  'export.deleted': m.audit_export_deleted,
  'case.created': m.audit_case_created,
  'case.changed': m.audit_case_changed,
  'case.clip-added': m.audit_case_clip_added,
  'case.clip-removed': m.audit_case_clip_removed,
  'case.handed-over': m.audit_case_handed_over,
  'package.requested': m.audit_package_requested,
  'package.ready': m.audit_package_ready,
  'package.failed': m.audit_package_failed,
  'package.approved': m.audit_package_approved,
  'package.downloaded': m.audit_package_downloaded,
  'ticket.created': m.audit_ticket_created,
  'ticket.changed': m.audit_ticket_changed,
};

export function actionText(action: string): string {
  return actionLabels[action]?.() ?? action;
}

export const outcomeLook = {
  ok: { tone: 'ok', icon: CircleCheck, label: m.audit_outcome_ok },
  denied: { tone: 'warn', icon: ShieldX, label: m.audit_outcome_denied },
  failed: { tone: 'bad', icon: CircleX, label: m.audit_outcome_failed },
} as const satisfies Record<AuditEntry['outcome'], unknown>;

export const checkProblems = {
  'row-missing': m.audit_problem_row_missing,
  'row-misplaced': m.audit_problem_row_misplaced,
  'row-changed': m.audit_problem_row_changed,
} as const;
