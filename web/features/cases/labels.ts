import Ban from '@lucide/svelte/icons/ban';
import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleX from '@lucide/svelte/icons/circle-x';
import Clock from '@lucide/svelte/icons/clock';
import FolderOpen from '@lucide/svelte/icons/folder-open';
import Loader from '@lucide/svelte/icons/loader';
import type { Export } from '#api/footage/schema.ts';
import { m } from '../../paraglide/messages.js';

export const modeLabel = {
  copy: m.cases_mode_copy,
  transcode: m.cases_mode_transcode,
  still: m.cases_mode_still,
} as const;
export const modeHint = {
  copy: m.cases_mode_copy_hint,
  transcode: m.cases_mode_transcode_hint,
  still: m.cases_mode_still_hint,
} as const;
export const exportModes = ['copy', 'transcode', 'still'] as const;

export const caseLook = {
  open: { tone: 'accent', icon: FolderOpen, label: m.cases_state_open },
  closed: { tone: 'idle', icon: CircleCheck, label: m.cases_state_closed },
} as const;
export const packageLook = {
  queued: { tone: 'idle', icon: Clock, label: m.cases_package_queued },
  running: { tone: 'accent', icon: Loader, label: m.cases_package_running },
  ready: { tone: 'ok', icon: CircleCheck, label: m.cases_package_ready },
  failed: { tone: 'bad', icon: CircleX, label: m.cases_package_failed },
} as const;
export const clipLook = {
  queued: { tone: 'idle', icon: Clock, label: m.footage_state_queued },
  running: { tone: 'accent', icon: Loader, label: m.footage_state_running },
  ready: { tone: 'ok', icon: CircleCheck, label: m.footage_state_ready },
  failed: { tone: 'bad', icon: CircleX, label: m.footage_state_failed },
  cancelled: { tone: 'idle', icon: Ban, label: m.footage_state_cancelled },
} as const satisfies Record<Export['state'], unknown>;
