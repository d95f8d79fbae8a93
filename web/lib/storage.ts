import { logDebug } from './log.ts';

/** What this browser remembers between visits. A browser that forbids it only loses convenience, so failures read as "nothing kept". */
export function readLocal(key: string): string | null {
  try {
    return localStorage.getItem(`weian.${key}`);
  } catch (error) {
    logDebug('local storage is not available', error);
    return null;
  }
}

/** Keeps `value`; see {@link readLocal} for browsers that refuse. */
export function writeLocal(key: string, value: string): void {
  try {
    localStorage.setItem(`weian.${key}`, value);
  } catch (error) {
    logDebug('local storage is not available', error);
  }
}
