import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { passwordProblem } from './auth/password-rules.ts';
import { cidrPattern } from './settings/schema.ts';

/** Everything the process takes from its environment, checked and frozen. Thresholds that a person edits are rows (server/settings). */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** `false` for plain HTTP: cookies then lose `Secure`, and browsers refuse the microphone on a LAN. */
  readonly isTlsOn: boolean;
  /** Absolute. Holds the database, keys, certificate, recordings and exports unless a key below moves them. */
  readonly dataDir: string;
  readonly recordingsDir: string;
  readonly exportsDir: string;
  /** Live-only pulls, thumbnails and transcoded chunks; safe to delete while stopped. */
  readonly cacheDir: string;
  /** Keys that must never sit in the database: the device-secret key and the TLS key. */
  readonly keysDir: string;
  /** `sqlite:<absolute file>` or `postgres://…`. */
  readonly databaseUrl: string;
  /** First-run password of `admin`; undefined: one is made and printed once. */
  readonly adminPassword: string | undefined;
  /** IANA zone of the site, for wall-clock text in reports and file names. */
  readonly siteTimeZone: string;
  /** CIDR blocks proposed as camera networks on the first run; afterwards the settings row counts. */
  readonly initialCameraNetworks: readonly string[];
  /** Length at which a recording file is closed. Shorter loses less to a power cut and costs more files. */
  readonly segmentMs: number;
  readonly workerBin: string | undefined;
  readonly webDir: string;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

type Env = Readonly<Record<string, string | undefined>>;

/** Thrown by {@link loadConfig} with every problem at once, one line each, named by key. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length} problem(s):\n${problems.map((p) => `  ${p}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the environment once. Creates nothing.
 * @throws ConfigError naming every bad key
 */
export function loadConfig(env: Env): Config {
  const problems: string[] = [];
  const integer = (key: string, fallback: number, min: number, max: number) => {
    const text = env[key];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    problems.push(`${key}: expected a whole number from ${min} to ${max}, got "${text}"`);
    return fallback;
  };
  const oneOf = <T extends string>(key: string, fallback: T, choices: readonly T[]): T => {
    const text = env[key];
    if (text === undefined || text === '') return fallback;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) problems.push(`${key}: expected one of ${choices.join(', ')}, got "${text}"`);
    return found ?? fallback;
  };
  const zone = env.SITE_TIME_ZONE || 'Asia/Shanghai';
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch (error) {
    problems.push(`SITE_TIME_ZONE: ${error instanceof Error ? error.message : String(error)}`);
  }
  const networks = (env.CAMERA_NETWORKS ?? '').split(',').map((part) => part.trim());
  const cameraNetworks = networks.filter((part) => part !== '');
  for (const block of cameraNetworks)
    if (!new RegExp(cidrPattern).test(block))
      problems.push(`CAMERA_NETWORKS: "${block}" is not an IPv4 block such as 10.20.0.0/16`);
  const adminPassword = env.ADMIN_PASSWORD || undefined;
  if (adminPassword !== undefined && passwordProblem(adminPassword, 'admin'))
    problems.push('ADMIN_PASSWORD: must have at least 10 characters and not be a common password');
  const dataDir = resolve(env.DATA_DIR || './data');
  const databaseUrl = env.DATABASE_URL || `sqlite:${join(dataDir, 'weian.db')}`;
  if (!/^(sqlite:|postgres(ql)?:\/\/)/.test(databaseUrl))
    problems.push('DATABASE_URL: expected sqlite:<file> or postgres://user:password@host/database');

  const config: Config = Object.freeze({
    host: env.HOST || '0.0.0.0',
    port: integer('PORT', 8443, 0, 65535),
    isTlsOn: oneOf('TLS', 'on', ['on', 'off']) === 'on',
    dataDir,
    recordingsDir: resolve(env.RECORDINGS_DIR || join(dataDir, 'recordings')),
    exportsDir: resolve(env.EXPORTS_DIR || join(dataDir, 'exports')),
    cacheDir: join(dataDir, 'cache'),
    keysDir: join(dataDir, 'keys'),
    databaseUrl,
    adminPassword,
    siteTimeZone: zone,
    initialCameraNetworks: Object.freeze(cameraNetworks),
    segmentMs: integer('SEGMENT_SECONDS', 60, 4, 600) * 1000,
    workerBin: env.MEDIASOUP_WORKER_BIN || undefined,
    webDir: resolve(new URL('../web/dist', import.meta.url).pathname),
    logLevel: oneOf('LOG_LEVEL', 'info', ['fatal', 'error', 'warn', 'info', 'debug', 'silent']),
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Creates the folders `config` names; the data and key folders are closed to other users. */
export function makeDirs(config: Config): void {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o750 });
  mkdirSync(config.keysDir, { recursive: true, mode: 0o700 });
  for (const dir of [config.recordingsDir, config.exportsDir, config.cacheDir])
    mkdirSync(dir, { recursive: true, mode: 0o750 });
}
