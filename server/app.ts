import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import { createAuditTrail } from './auth/audit-trail.ts';
import type { Now } from './clock.ts';
import { makeDirs, type Config } from './config.ts';
import { openDatabase } from './db/database.ts';
import { migrate } from './db/migrate.ts';
import { createEventBus } from './events/bus.ts';
import { AppError } from './errors.ts';
import { registerEventRoutes } from './events/routes.ts';
import type { ChannelSource } from './footage/channel-source.ts';
import { exportJobKind } from './footage/export-runner.ts';
import { createFootageParts } from './footage/parts.ts';
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
import { registerSettingsRoutes } from './settings/routes.ts';
import { createSettingsService, defaultSettings } from './settings/service.ts';
import { createMetrics, measureRequests } from './system/metrics.ts';
import { registerSystemRoutes } from './system/routes.ts';
import { createSystemService, type PartCheck } from './system/service.ts';

/** What a test replaces; everything else is the real thing. */
export interface Overrides {
  readonly log: Logger;
  readonly now?: Now;
  readonly authenticate?: Authenticate;
  readonly channels?: ChannelSource;
  readonly checks?: { readonly ffmpeg: PartCheck; readonly worker: PartCheck };
}

/** A console that is built but not yet at work. */
export interface Weian {
  readonly http: FastifyInstance;
  readonly db: Knex;
  /** Starts what runs by itself: jobs, recording, probes. Call once, before or after listening. */
  start(): Promise<void>;
  /** Ends everything in reverse order of its making; safe to call twice. */
  close(): Promise<void>;
}

/** Until devices are registered there is nothing to record. */
const noChannels: ChannelSource = {
  listRecorded: async () => [],
  async get() {
    throw new AppError('not-found');
  },
  async getStream() {
    throw new AppError('not-found');
  },
};

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/**
 * Constructs and wires every part: the only place that does.
 * @throws NewerDatabaseError when the database belongs to a newer version
 */
export async function buildApp(config: Config, overrides: Overrides): Promise<Weian> {
  const { log, now = Date.now } = overrides;
  const closers: (() => Promise<unknown>)[] = [];
  makeDirs(config);

  const db = openDatabase(config.databaseUrl);
  closers.push(() => db.destroy());
  await migrate(db);

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
  const http = await createHttpServer(log, { tls, version });
  closers.push(() => http.close());
  measureRequests(http, metrics);

  const authenticate = overrides.authenticate ?? (async () => undefined);
  installGuard(http, {
    authenticate,
    onDenied: (request, principal, permission) =>
      audit.record({
        action: 'request.denied',
        actor: principal,
        outcome: 'denied',
        detail: { method: request.method, route: request.routeOptions.url ?? request.url, permission },
        request,
      }),
  });
  registerEventRoutes(http, { bus, authenticate });
  registerSettingsRoutes(http, { settings, audit });

  const channels = overrides.channels ?? noChannels;
  const footage = createFootageParts({
    config,
    db,
    bus,
    audit,
    settings,
    channels,
    metrics,
    now,
    log: log.child({ component: 'footage' }),
  });
  const jobs = createJobService({
    store: createJobStore(db),
    handlers: [footage.handlers],
    kinds: [exportJobKind],
    onEnd: footage.onJobEnd,
    now,
    log: log.child({ component: 'jobs' }),
  });
  closers.push(() => jobs.close());
  closers.push(() => footage.close());
  footage.registerRoutes(http, jobs);
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
    ffmpeg: overrides.checks?.ffmpeg ?? (async () => 'unknown'),
    worker: overrides.checks?.worker ?? (async () => 'unknown'),
  });
  registerSystemRoutes(http, { system, metrics });
  await serveWeb(http, config.webDir);

  let closing: Promise<void> | undefined;
  return {
    http,
    db,
    async start() {
      await footage.start(jobs);
      await jobs.start();
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
