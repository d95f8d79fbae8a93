import { m } from '../paraglide/messages.js';
import { createFormat, type Format } from './format.ts';
import { locale } from './locale.svelte.ts';

const tickMs = 1000;
/** Answers take time to arrive and the Date header has whole seconds; less than this is no difference. */
const tolerableSkewMs = 3000;

/** The server's time, ticking every second. A desk PC whose clock is wrong still shows what the recordings say. */
class Clock {
  now = $state(Date.now());
  #offsetMs = 0;

  constructor() {
    setInterval(() => {
      this.now = Date.now() + this.#offsetMs;
    }, tickMs);
  }

  /** Takes the `Date` header of an answer. */
  noteServerDate(header: string | null): void {
    const serverAt = header === null ? NaN : Date.parse(header);
    if (Number.isNaN(serverAt)) return;
    const offsetMs = serverAt - Date.now();
    this.#offsetMs = Math.abs(offsetMs) > tolerableSkewMs ? offsetMs : 0;
  }
}

export const clock = new Clock();

/** Where the site is on the clock, and the formatters that follow it and the language. */
class SiteFormat {
  timeZone = $state('Asia/Shanghai');
  #format: Format = $derived(
    createFormat({ locale: locale.current, timeZone: this.timeZone, unknown: m.common_unknown() }),
  );

  get use(): Format {
    return this.#format;
  }
}

export const site = new SiteFormat();

/** The formatters of the current language and site zone; read in templates, so that they follow a change. */
export function fmt(): Format {
  return site.use;
}
