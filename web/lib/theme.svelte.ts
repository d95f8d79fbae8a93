import { readLocal, writeLocal } from './storage.ts';

export type Theme = 'dark' | 'light';

/** Dark for the control room (default), light for a bright office. Kept per browser, as it belongs to the screen, not the person. */
class ThemeState {
  current = $state<Theme>(readLocal('theme') === 'light' ? 'light' : 'dark');

  constructor() {
    document.documentElement.dataset.theme = this.current;
  }

  set(next: Theme): void {
    this.current = next;
    document.documentElement.dataset.theme = next;
    writeLocal('theme', next);
  }
}

export const theme = new ThemeState();
