/** For the browser's console: what an engineer may want to see and the person at the desk need not. Never a secret. */
export function logDebug(message: string, error: unknown): void {
  // oxlint-disable-next-line no-console -- the one place that writes to it
  console.debug(message, error);
}
