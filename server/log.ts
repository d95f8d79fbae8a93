import { pino, type Logger } from 'pino';
import { redactUrls } from '#media/log.ts';
import type { Config } from './config.ts';

/** The server's logger: JSON lines on stdout, one child per component (`log.child({ component: 'health' })`). */
export type { Logger };

const secretKeys = [
  'password',
  'currentPassword',
  'newPassword',
  'adminPassword',
  'oneTimePassword',
  'passwordHash',
  'secret',
  'token',
  'cookie',
  'authorization',
  'csrfToken',
];

/**
 * Makes the root logger. Values under secret keys, at the top or one or two levels down, print as `***`; URLs in messages and
 * string fields lose their user part.
 */
export function createLogger(
  config: Pick<Config, 'logLevel'>,
  stream?: { write(line: string): void },
): Logger {
  const paths = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  return pino(
    {
      level: config.logLevel,
      base: null,
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      redact: { paths: [...paths, 'req.headers.cookie', 'req.headers["x-csrf-token"]'], censor: '***' },
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        streamWrite: (line) => redactUrls(line),
      },
    },
    stream ?? pino.destination(1),
  );
}
