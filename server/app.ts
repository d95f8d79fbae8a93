import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Knex } from 'knex';
import { registerAuditRoutes } from './auth/audit-routes.ts';
import { can } from './auth/permissions.ts';
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
import { backupJobKind } from './backups/runner.ts';
import { createBackupParts } from './backups/parts.ts';
import type { Now } from './clock.ts';
import { createCaseParts, packageJobKind } from './cases/parts.ts';
import { makeDirs, type Config } from './config.ts';
import { openDatabase } from './db/database.ts';
import { migrate } from './db/migrate.ts';
import { onvif, type OnvifPort } from './devices/onvif-port.ts';
import { createDeviceParts } from './devices/parts.ts';
import type { ChannelStates } from './devices/views.ts';
import { createEventBus } from './events/bus.ts';
import { registerEventRoutes } from './events/routes.ts';
import type { ChannelSource } from './footage/types.ts';
import { exportJobKind } from './footage/export-runner.ts';
import { createFootageParts } from './footage/parts.ts';
import { createFindingParts } from './finding/parts.ts';
import { createLook } from './health/look.ts';
import { registerHealthRoutes } from './health/routes.ts';
import { createHealthService } from './health/service.ts';
import { createHealthStore } from './health/store.ts';
import { installGuard, type Authenticate } from './http/guard.ts';
import { createHttpServer, serveWeb } from './http/server.ts';
import { loadOrMakeCertificate } from './http/tls.ts';
import { createJobService } from './jobs/service.ts';
import { createJobStore } from './jobs/store.ts';
import { registerLiveRoutes } from './live/routes.ts';
import { createLiveService } from './live/service.ts';
import type { Logger } from './log.ts';
import { systemClock } from '#media/clock.ts';
import { createLiveHub } from '#media/hls/live.ts';
import { printPdf } from '#media/process/print-pdf.ts';
import { readToolVersions } from '#media/process/tools.ts';
import { checkWorker, workerBinPath } from '#media/sfu/worker.ts';
import { registerSettingsRoutes } from './settings/routes.ts';
import { createSettingsService, defaultSettings } from './settings/service.ts';
import { createMetrics, measureRequests } from './system/metrics.ts';
import { registerSystemRoutes } from './system/routes.ts';
import { registerPlaceRoutes } from './sites/routes.ts';
import { createPlaceService } from './sites/service.ts';
import { createPlaceStore } from './sites/store.ts';
import { registerTicketRoutes } from './tickets/routes.ts';
import { createTicketService } from './tickets/service.ts';
import { createTicketStore } from './tickets/store.ts';
import { createSystemService, type PartCheck } from './system/service.ts';

/** What a test replaces; everything else is the real thing. */
export interface Overrides {
  readonly log: Logger;
  readonly now?: Now;
  readonly authenticate?: Authenticate;
  readonly onvif?: OnvifPort;
  /** Told of every route as it is added, so that a test can look at them all. */
  readonly onRoute?: (route: RouteOptions) => void;
  readonly channels?: ChannelSource;
  readonly printPdf?: (html: string) => Promise<Buffer>;
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

/** @throws Error naming what is not installed */
async function checkFfmpeg(): Promise<string> {
  const versions = await readToolVersions();
  const missing = Object.entries(versions).filter(([, version]) => version === undefined);
  if (missing.length > 0) throw new Error(`not installed: ${missing.map(([name]) => name).join(', ')}`);
  return versions.ffmpeg ?? '';
}

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
    siteTimeZone: config.siteTimeZone,
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
  const states: ChannelStates = {
    healthOf: (id) => health.viewOf(id),
    recordingOf: (id) => footage.recording.recordingOf(id),
  };
  const devices = await createDeviceParts({
    db,
    bus,
    audit,
    secrets: secretBox,
    states,
    now,
    log,
    onvif: overrides.onvif ?? onvif,
    networks: () => settings.current().network.cameraNetworks,
    hasPlace: async (id) => (await places.find(id)) !== undefined,
  });
  closers.push(() => devices.close());
  devices.registerRoutes(http);

  const channels = overrides.channels ?? devices.cameras;
  const footage = createFootageParts({
    config,
    db,
    bus,
    audit,
    settings,
    channels,
    exportGuard: {
      mayDownload: (id) => cases.guard.mayDownload(id),
      mayDelete: (id) => cases.guard.mayDelete(id),
    },
    archives: devices.archives,
    listCopied: (channelId, range) => backups.listCopied(channelId, range),
    metrics,
    now,
    log: log.child({ component: 'footage' }),
  });
  const cases = createCaseParts({
    db,
    bus,
    audit,
    settings,
    clips: footage.clips,
    findCamera: (channelId) => devices.register.findChannel(channelId)?.device,
    printPdf: overrides.printPdf ?? printPdf,
    keysDir: config.keysDir,
    exportsDir: config.exportsDir,
    siteTimeZone: config.siteTimeZone,
    software: `weian ${version}`,
    now,
    log: log.child({ component: 'cases' }),
  });

  const watched = () =>
    devices.register
      .list()
      .filter((device) => device.isEnabled)
      .flatMap((device) =>
        device.channels.map(({ id, name }) => ({ channelId: id, deviceId: device.id, name })),
      );
  const tickets = createTicketService({
    db,
    store: createTicketStore(db),
    findChannel: (id) => watched().find((channel) => channel.channelId === id),
    async listAssignees() {
      const everybody = await users.list();
      return everybody.filter((user) => user.isActive && can(user.role, 'tickets.edit'));
    },
    audit,
    bus,
    siteTimeZone: config.siteTimeZone,
    now,
  });
  registerTicketRoutes(http, { tickets });
  const healthLog = log.child({ component: 'health' });
  const health = await createHealthService({
    db,
    settings,
    bus,
    now,
    tickets,
    store: createHealthStore(db),
    listWatched: watched,
    look: createLook({
      channels,
      recorderOf: footage.recording.recorderOf,
      clock: { ...systemClock, now },
      log: healthLog,
    }),
    log: healthLog,
  });
  closers.push(() => health.close());
  registerHealthRoutes(http, { health });

  const backups = createBackupParts({
    db,
    own: footage.own,
    secrets: secretBox,
    siteTimeZone: config.siteTimeZone,
    bus,
    audit,
    now,
    log: log.child({ component: 'backups' }),
  });
  const jobs = createJobService({
    store: createJobStore(db),
    handlers: [footage.handlers, cases.handlers, backups.handlers],
    kinds: [exportJobKind, packageJobKind, backupJobKind],
    async onEnd(end) {
      await footage.onJobEnd(end);
      await cases.onJobEnd(end);
      await backups.onJobEnd(end);
    },
    now,
    log: log.child({ component: 'jobs' }),
  });
  closers.push(() => jobs.close());
  closers.push(() => footage.close());
  cases.registerRoutes(http, { jobs, exports: footage.registerRoutes(http, jobs) });
  backups.registerRoutes(http, jobs);
  closers.push(() => backups.close());
  const finding = await createFindingParts({
    db,
    cacheDir: config.cacheDir,
    footage: footage.footage,
    channels,
    devices: { list: devices.cameras.listEventDevices, open: devices.cameras.listenTo },
    others: { listFaults: health.listFaultsTouching, listTickets: tickets.listOpenedIn },
    bus,
    audit,
    now,
    log: log.child({ component: 'finding' }),
  });
  closers.push(() => finding.close());
  finding.registerRoutes(http);
  const live = createLiveService({
    makeHub: (getTarget) =>
      createLiveHub({
        getTarget,
        dir: join(config.cacheDir, 'live'),
        idleMs: 20_000,
        maxTranscodes: availableParallelism(),
        clock: { ...systemClock, now },
        log: log.child({ component: 'live' }),
      }),
    channels,
    recording: footage.recording,
    audit,
    now,
  });
  closers.push(() => live.close());
  registerLiveRoutes(http, { live, now });

  const system = createSystemService({
    db,
    recordingsDir: config.recordingsDir,
    version,
    ffmpeg: overrides.checks?.ffmpeg ?? checkFfmpeg,
    worker:
      overrides.checks?.worker ??
      (async () => (await checkWorker(workerBinPath({ MEDIASOUP_WORKER_BIN: config.workerBin }))).version),
  });
  registerSystemRoutes(http, { system, metrics });
  await serveWeb(http, config.webDir);

  let closing: Promise<void> | undefined;
  return {
    http,
    db,
    oneTimePassword,
    async start() {
      await footage.start(jobs);
      await cases.start(jobs);
      await backups.start(jobs);
      await jobs.start();
      devices.start();
      health.start();
      finding.start();
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
