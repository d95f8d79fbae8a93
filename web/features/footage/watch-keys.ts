import type { Shortcut } from '../../lib/shortcuts.svelte.ts';
import { m } from '../../paraglide/messages.js';
import { rates } from './watch-place.ts';
import type { WatchRoom } from './watch-room.svelte.ts';
import type { WatchTile } from './watch-tile.svelte.ts';

export interface WatchKeyTargets {
  readonly room: WatchRoom;
  readonly active: () => WatchTile | undefined;
  readonly activate: (number: number) => void;
  readonly mark: (end: 'fromAt' | 'toAt') => void;
  readonly jumpToEvent: (direction: 1 | -1) => void;
  readonly jumpToGapEnd: (direction: 1 | -1) => void;
  readonly snapshot: () => void;
  readonly bookmark: () => void;
}

/** Everything a hand that stays on the keyboard can do while watching. J, K and L are what editors know. */
export function watchKeys(to: WatchKeyTargets): Shortcut[] {
  const { room } = to;
  /** Faster with every press in one direction, as on an editing desk; from the other direction it begins at normal speed. */
  const shuttle = (direction: 1 | -1) => {
    const isSame = Math.sign(room.rate) === direction && room.isPlaying;
    const next = rates.find((rate) => rate > Math.abs(room.rate)) ?? rates[rates.length - 1] ?? 1;
    room.setRate(isSame ? next * direction : direction);
    room.play();
  };
  return [
    { keys: [' '], title: m.footage_play_pause, run: () => room.togglePlay() },
    { keys: ['ArrowLeft'], title: m.footage_back_5, run: () => room.skip(-5_000) },
    { keys: ['ArrowRight'], title: m.footage_ahead_5, run: () => room.skip(5_000) },
    { keys: [','], title: m.footage_frame_back, run: () => room.step(to.active(), -1) },
    { keys: ['.'], title: m.footage_frame_ahead, run: () => room.step(to.active(), 1) },
    { keys: ['['], title: m.footage_mark_start, run: () => to.mark('fromAt') },
    { keys: [']'], title: m.footage_mark_end, run: () => to.mark('toAt') },
    { keys: ['j'], title: m.footage_reverse, run: () => shuttle(-1) },
    { keys: ['k'], title: m.footage_pause, run: () => room.pause() },
    { keys: ['l'], title: m.footage_faster, run: () => shuttle(1) },
    { keys: ['('], title: m.footage_event_before, run: () => to.jumpToEvent(-1) },
    { keys: [')'], title: m.footage_event_next, run: () => to.jumpToEvent(1) },
    { keys: ['{'], title: m.footage_gap_before, run: () => to.jumpToGapEnd(-1) },
    { keys: ['}'], title: m.footage_gap_next, run: () => to.jumpToGapEnd(1) },
    { keys: ['+'], title: m.footage_enlarge, run: () => to.active()?.zoom.by(1.5) },
    { keys: ['-'], title: m.footage_reduce, run: () => to.active()?.zoom.by(1 / 1.5) },
    { keys: ['0'], title: m.footage_zoom_reset, run: () => to.active()?.zoom.reset() },
    { keys: ['p'], title: m.footage_picture, run: to.snapshot },
    { keys: ['b'], title: m.finding_bookmark, run: to.bookmark },
    ...Array.from({ length: 9 }, (_, index) => ({
      keys: [String(index + 1)],
      title: () => m.footage_camera_number({ number: index + 1 }),
      run: () => to.activate(index),
    })),
  ];
}
