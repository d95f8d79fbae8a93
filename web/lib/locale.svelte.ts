import { baseLocale, isLocale, overwriteGetLocale, type Locale } from '../paraglide/runtime.js';
import { readLocal, writeLocal } from './storage.ts';

export type { Locale };

/** The language of the console. Every text read in a template follows a change at once, without a reload. */
class LocaleState {
  current = $state<Locale>(baseLocale);

  constructor() {
    const kept = readLocal('locale');
    if (isLocale(kept)) this.current = kept;
    document.documentElement.lang = this.current;
  }

  /** Switches and remembers in this browser; the person's own setting on the server is the session's business. */
  set(next: Locale): void {
    this.current = next;
    document.documentElement.lang = next;
    writeLocal('locale', next);
  }
}

export const locale = new LocaleState();
overwriteGetLocale(() => locale.current);
