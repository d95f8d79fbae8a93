type Write = (fields: Record<string, unknown>, message: string) => void;

/** The part of a pino logger that media code needs; the server passes a child logger in. */
export interface Log {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
  child(fields: Record<string, unknown>): Log;
}

/** A logger that writes nothing, for tests and one-off tools. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/**
 * Replaces the user part of every URL in `text` (`rtsp://user:pass@host` becomes `rtsp://***@host`), also where a password has an unescaped
 * `@` in it. `text` may be a JSON line: an unescaped quote ends a URL.
 */
export function redactUrls(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)(?:[^/\s"\\]|\\.)*@/gi, '$1***@');
}
