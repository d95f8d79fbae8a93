import Ban from '@lucide/svelte/icons/ban';
import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleHelp from '@lucide/svelte/icons/circle-question-mark';
import CircleX from '@lucide/svelte/icons/circle-x';
import Clock from '@lucide/svelte/icons/clock';
import Hourglass from '@lucide/svelte/icons/hourglass';
import Loader from '@lucide/svelte/icons/loader';
import Unplug from '@lucide/svelte/icons/unplug';
import type { Run, Target } from '#api/backups/schema.ts';
import { m } from '../../paraglide/messages.js';

/** How each state of a backup target looks. */
export const targetLooks = {
  unknown: { tone: 'idle', icon: CircleHelp, label: m.storage_state_unknown },
  ok: { tone: 'ok', icon: CircleCheck, label: m.storage_state_ok },
  unreachable: { tone: 'bad', icon: Unplug, label: m.storage_state_unreachable },
  slow: { tone: 'warn', icon: Hourglass, label: m.storage_state_slow },
  full: { tone: 'bad', icon: CircleX, label: m.storage_state_full },
  refused: { tone: 'bad', icon: Ban, label: m.storage_state_refused },
  'not-mounted': { tone: 'bad', icon: Unplug, label: m.storage_state_not_mounted },
  'no-bucket': { tone: 'bad', icon: CircleX, label: m.storage_state_no_bucket },
} as const satisfies Record<Target['state'], unknown>;

export const runLooks = {
  queued: { tone: 'idle', icon: Clock, label: m.storage_run_queued },
  running: { tone: 'accent', icon: Loader, label: m.storage_run_running },
  waiting: { tone: 'warn', icon: Hourglass, label: m.storage_run_waiting },
  done: { tone: 'ok', icon: CircleCheck, label: m.storage_run_done },
  failed: { tone: 'bad', icon: CircleX, label: m.storage_run_failed },
  cancelled: { tone: 'idle', icon: Ban, label: m.storage_run_cancelled },
} as const satisfies Record<Run['state'], unknown>;

/** Why a run waits or has failed, in words; empty when it does neither. */
export function problemText({ problem, filesFailed }: Run): string {
  if (problem === null) return '';
  if (problem === 'some-files') return m.storage_problem_some_files({ count: filesFailed });
  return problem in targetLooks
    ? targetLooks[problem as keyof typeof targetLooks].label()
    : m.storage_problem_internal();
}

/** Where a target is, in one line. */
export function placeText({ config }: Target): string {
  return 'path' in config
    ? config.path
    : `${config.endpoint.replace(/\/$/, '')}/${config.bucket}/${config.prefix}`;
}
