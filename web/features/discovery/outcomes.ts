import Ban from '@lucide/svelte/icons/ban';
import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleDashed from '@lucide/svelte/icons/circle-dashed';
import KeyRound from '@lucide/svelte/icons/key-round';
import Loader from '@lucide/svelte/icons/loader';
import Lock from '@lucide/svelte/icons/lock';
import ShieldAlert from '@lucide/svelte/icons/shield-alert';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import Unplug from '@lucide/svelte/icons/unplug';
import type { FindingOutcome } from '#api/devices/schema.ts';
import type { Icon } from '../../lib/actions.ts';
import { m } from '../../paraglide/messages.js';

interface Look {
  readonly tone: 'ok' | 'warn' | 'bad' | 'idle' | 'accent';
  readonly icon: Icon;
  readonly label: () => string;
  /** What the person can do about it. */
  readonly advice: () => string;
}

/** How each outcome of asking a device is shown, and what to do next. */
export const outcomeLook: Readonly<Record<FindingOutcome, Look>> = {
  new: { tone: 'idle', icon: CircleDashed, label: m.discovery_new, advice: m.discovery_new_advice },
  asking: { tone: 'accent', icon: Loader, label: m.discovery_asking, advice: m.discovery_asking_advice },
  ok: { tone: 'ok', icon: CircleCheck, label: m.discovery_ok, advice: m.discovery_ok_advice },
  registered: {
    tone: 'ok',
    icon: CircleCheck,
    label: m.discovery_registered,
    advice: m.discovery_registered_advice,
  },
  unauthorized: {
    tone: 'warn',
    icon: KeyRound,
    label: m.discovery_unauthorized,
    advice: m.discovery_unauthorized_advice,
  },
  locked: { tone: 'bad', icon: Lock, label: m.discovery_locked, advice: m.discovery_locked_advice },
  unreachable: {
    tone: 'bad',
    icon: Unplug,
    label: m.discovery_unreachable,
    advice: m.discovery_unreachable_advice,
  },
  timeout: { tone: 'bad', icon: Unplug, label: m.discovery_timeout, advice: m.discovery_unreachable_advice },
  garbage: {
    tone: 'bad',
    icon: TriangleAlert,
    label: m.discovery_garbage,
    advice: m.discovery_garbage_advice,
  },
  'not-onvif': {
    tone: 'idle',
    icon: Ban,
    label: m.discovery_not_onvif,
    advice: m.discovery_not_onvif_advice,
  },
  unsupported: {
    tone: 'warn',
    icon: Ban,
    label: m.discovery_unsupported,
    advice: m.discovery_unsupported_advice,
  },
  untrusted: {
    tone: 'bad',
    icon: ShieldAlert,
    label: m.discovery_untrusted,
    advice: m.discovery_untrusted_advice,
  },
};

/** Outcomes after which asking (again) can help. */
export const askable: ReadonlySet<FindingOutcome> = new Set([
  'new',
  'unauthorized',
  'unreachable',
  'timeout',
  'garbage',
  'unsupported',
]);
