import Bell from '@lucide/svelte/icons/bell';
import Bookmark from '@lucide/svelte/icons/bookmark';
import EyeOff from '@lucide/svelte/icons/eye-off';
import Footprints from '@lucide/svelte/icons/footprints';
import Ticket from '@lucide/svelte/icons/ticket';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import VideoOff from '@lucide/svelte/icons/video-off';
import type { EventKind, FootageEvent } from '#api/finding/schema.ts';
import type { Icon } from '../../lib/actions.ts';
import { m } from '../../paraglide/messages.js';
import { reasonText } from '../health/reason.ts';

/** How each kind of event is called and drawn; the mark's place on a lane tells kinds apart without colour. */
export const eventLooks: Readonly<
  Record<EventKind, { readonly label: () => string; readonly icon: Icon; readonly tone: string }>
> = {
  bookmark: { label: m.finding_kind_bookmark, icon: Bookmark, tone: 'mark' },
  fault: { label: m.finding_kind_fault, icon: TriangleAlert, tone: 'bad' },
  ticket: { label: m.finding_kind_ticket, icon: Ticket, tone: 'warn' },
  alarm: { label: m.finding_kind_alarm, icon: Bell, tone: 'warn' },
  tamper: { label: m.finding_kind_tamper, icon: EyeOff, tone: 'bad' },
  'video-loss': { label: m.finding_kind_video_loss, icon: VideoOff, tone: 'bad' },
  motion: { label: m.finding_kind_motion, icon: Footprints, tone: 'idle' },
};

/** An event in words: a fault's reason is a code, everything else a person wrote. */
export function eventText(event: FootageEvent): string {
  if (event.kind === 'fault') return reasonText(event.text);
  return event.text === '' ? eventLooks[event.kind].label() : event.text;
}
