import { readFileSync } from 'node:fs';
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Knex } from 'knex';
import { registerAuditRoutes } from './auth/audit-routes.ts';
import { createAuditTrail } from './auth/audit-trail.ts';
import { createSessionCookie } from './auth/cookie.ts';
import { ensureFirstAdmin } from './auth/first-admin.ts';
import { createPasswordHasher } from './auth/password-hasher.ts';
import { registerAuthRoutes } from './auth/routes.ts';
import { assertKeyFits, createSecretBox } from './auth/secret-box.ts';
import { createAuthService } from './auth/service.ts';
import { createSessionStore } from './auth/session-store.ts';
import { createSessions } from './auth/sessions.ts';
import { registerUserRoutes } from './auth/user-routes.ts';
import { createUserService } from './auth/user-service.ts';
import { createUserStore } from './auth/user-store.ts';
import type { Now } from './clock.ts';
import { makeDirs, type Config } from './config.ts';
import { openDatabase } from './db/database.ts';
import { migrate } from './db/migrate.ts';
import { onvif, type OnvifPort } from './devices/onvif-port.ts';
import { createDeviceParts } from './devices/parts.ts';
import { createEventBus } from './events/bus.ts';
import { registerEventRoutes } from './events/routes.ts';
import { installGuard, type Authenticate } from './http/guard.ts';
import { createHttpServer, serveWeb } from './http/server.ts';
import { loadOrMakeCertificate } from './http/tls.ts';
import { createJobService } from './jobs/service.ts';
import { createJobStore } from './jobs/store.ts';
import type { Logger } from './log.ts';
import { registerSettingsRoutes } from './settings/routes.ts';
import { createSettingsService, defaultSettings } from './settings/service.ts';
import { createMetrics, measureRequests } from './system/metrics.ts';
import { registerSystemRoutes } from './system/routes.ts';
import { registerPlaceRoutes } from './sites/routes.ts';
import { createPlaceService } from './sites/service.ts';
import { createPlaceStore } from './sites/store.ts';
import { createSystemService, type PartCheck } from './system/service.ts';

/** What a test replaces; everything else is the real thing. */
export interface Overrides {
  readonly log: Logger;
  readonly now?: Now;
  readonly authenticate?: Authenticate;
  readonly onvif?: OnvifPort;
  /** Told of every route as it is added, so that a test can look at them all. */
  readonly onRoute?: (route: RouteOptions) => void;
  readonly checks?: { readonly ffmpeg: PartCheck; readonly worker: PartCheck };
}

/** A console that is built but not yet at work. */
export interface Weian {
  readonly http: FastifyInstance;
  readonly db: Knex;
  /** To be shown once to the person at the server: the first password of `admin`, while nobody has logged in and none was configured. */
  readonly oneTimePassword: string | undefined;
  /** Starts what runs by itself: jobs, recording, probes. Call once, before or after listening. */
  start(): Promise<void>;
  /** Ends everything in reverse order of its making; safe to call twice. */
  close(): Promise<void>;
}

const sweepIntervalMs = 3_600_000;
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/**
 * Constructs and wires every part: the only place that does.
 * @throws NewerDatabaseError when the database belongs to a newer version; SecretKeyError when device passwords are stored and their key is
 * not there; CertificateError
 */
export async function buildApp(config: Config, overrides: Overrides): Promise<Weian> {
  const { log, now = Date.now } = overrides;
  const closers: (() => Promise<unknown>)[] = [];
  makeDirs(config);

  const db = openDatabase(config.databaseUrl);
  closers.push(() => db.destroy());
  await migrate(db);
  const secretBox = createSecretBox(config.keysDir);
  const sealed: { sealed_password: string }[] = await db('credentials').select('sealed_password');
  assertKeyFits(
    secretBox,
    sealed.map((row) => row.sealed_password),
  );

  const bus = createEventBus({ now, log: log.child({ component: 'events' }) });
  const audit = createAuditTrail({ db, now });
  const settings = await createSettingsService({
    db,
    bus,
    now,
    defaults: defaultSettings(config.initialCameraNetworks),
    onBadRow: (key) => log.error({ key }, 'a settings row does not fit its schema; the default is used'),
  });
  const metrics = createMetrics();
  const tls = config.isTlsOn ? await loadOrMakeCertificate(config.keysDir) : undefined;
  const http = await createHttpServer(log, { tls, version, onRoute: overrides.onRoute });
  closers.push(() => http.close());
  measureRequests(http, metrics);

  const users = createUserStore(db);
  const sessions = createSessions({ store: createSessionStore(db), now });
  const hasher = createPasswordHasher();
  const cookie = createSessionCookie(config);
  const auth = createAuthService({
    db,
    users,
    sessions,
    hasher,
    audit,
    settings,
    bus,
    now,
    tokenOf: cookie.tokenOf,
  });
  const oneTimePassword = await ensureFirstAdmin({ users, hasher, adminPassword: config.adminPassword, now });
  const authenticate = overrides.authenticate ?? auth.authenticate;
  installGuard(http, {
    authenticate,
    onDenied: (request, principal, { code, permission }) =>
      audit.record({
        action: 'request.denied',
        actor: principal,
        outcome: 'denied',
        detail: { method: request.method, route: request.routeOptions.url ?? request.url, permission, code },
        request,
      }),
  });
  registerAuthRoutes(http, {
    auth,
    cookie,
    settings,
    version,
    certificateFingerprint: tls?.fingerprint ?? null,
  });
  registerUserRoutes(http, { users: createUserService({ db, users, sessions, hasher, audit, bus, now }) });
  registerAuditRoutes(http, { audit });
  registerEventRoutes(http, { bus, authenticate, onSessionsChanged: sessions.onChanged });
  registerSettingsRoutes(http, { settings, audit });

  const places = createPlaceService({ db, store: createPlaceStore(db), bus, audit, now });
  registerPlaceRoutes(http, { places });
  const devices = await createDeviceParts({
    db,
    bus,
    audit,
    secrets: secretBox,
    now,
    log,
    onvif: overrides.onvif ?? onvif,
    networks: () => settings.current().network.cameraNetworks,
    hasPlace: async (id) => (await places.find(id)) !== undefined,
    // What a channel that nobody looks at or records shows.
    states: {
      healthOf: () => ({ state: 'unknown', reason: null, sinceAt: null }),
      recordingOf: () => ({ state: 'off', cause: null }),
    },
  });
  closers.push(() => devices.close());
  devices.registerRoutes(http);

  const jobs = createJobService({
    store: createJobStore(db),
    handlers: [],
    kinds: [],
    now,
    log: log.child({ component: 'jobs' }),
  });
  closers.push(() => jobs.close());

  const system = createSystemService({
    db,
    recordingsDir: config.recordingsDir,
    version,
    ffmpeg: overrides.checks?.ffmpeg ?? (async () => 'unknown'),
    worker: overrides.checks?.worker ?? (async () => 'unknown'),
  });
  registerSystemRoutes(http, { system, metrics });
  await serveWeb(http, config.webDir);

  let closing: Promise<void> | undefined;
  return {
    http,
    db,
    oneTimePassword,
    async start() {
      await jobs.start();
      devices.start();
      const sweep = () =>
        auth.sweep().catch((error: unknown) => log.error({ err: error }, 'could not sweep old sessions'));
      const sweeping = setInterval(sweep, sweepIntervalMs);
      closers.push(async () => clearInterval(sweeping));
    },
    close() {
      closing ??= (async () => {
        for (const closer of closers.toReversed())
          await closer().catch((error: unknown) => log.error({ err: error }, 'a part did not close cleanly'));
      })();
      return closing;
    },
  };
}
