import { SvelteSet } from 'svelte/reactivity';

/** Keys pressed one after the other, as `['g', 't']`, or a single one, as `['?']`. */
export interface Shortcut {
  readonly keys: readonly string[];
  readonly title: () => string;
  readonly run: () => void;
}

const sequencePauseMs = 1200;

class Shortcuts {
  readonly all = new SvelteSet<Shortcut>();
  #pressed: string[] = [];
  #forgetTimer: ReturnType<typeof setTimeout> | undefined;

  /** @returns a function that takes them away again; fit to be returned from `$effect` */
  add(...shortcuts: Shortcut[]): () => void {
    for (const shortcut of shortcuts) this.all.add(shortcut);
    return () => {
      for (const shortcut of shortcuts) this.all.delete(shortcut);
    };
  }

  /** Takes every key of the window; keys meant for a field, a dialog or the browser pass by. */
  take(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target))
      return;
    clearTimeout(this.#forgetTimer);
    this.#pressed = [...this.#pressed, event.key].slice(-2);
    for (const shortcut of this.all) {
      const tail = this.#pressed.slice(-shortcut.keys.length);
      if (tail.length !== shortcut.keys.length || tail.some((key, at) => key !== shortcut.keys[at])) continue;
      this.#pressed = [];
      event.preventDefault();
      shortcut.run();
      return;
    }
    this.#forgetTimer = setTimeout(() => {
      this.#pressed = [];
    }, sequencePauseMs);
  }
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest('[role="dialog"], [role="menu"], [role="listbox"]'))
    return true;
  return target.matches('input, textarea, select, [role="spinbutton"]');
}

export const shortcuts = new Shortcuts();
