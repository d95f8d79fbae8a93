import { join } from 'node:path';
import { Cron } from 'croner';
import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import type { Logger } from '#api/log.ts';
import { systemClock } from '#media/clock.ts';
import { openFileCache } from '#media/thumbnails/file-cache.ts';
import type { GreyFile } from '#media/thumbnails/grey-file.ts';
import { createSharedWork } from '#media/thumbnails/shared-work.ts';
import { createBookmarkStore } from './bookmark-store.ts';
import { createChangeService } from './change-service.ts';
import { createEventCollector, type DeviceEvents } from './event-collector.ts';
import { createEventStore } from './event-store.ts';
import { createGroupStore } from './group-store.ts';
import { createHappeningService, type OtherHappenings } from './happening-service.ts';
import { createMarkService } from './mark-service.ts';
import { createPictureService } from './picture-service.ts';
import { registerMarkRoutes } from './mark-routes.ts';
import { registerPictureRoutes } from './routes.ts';
import type { FootageSource } from './types.ts';

/** What cameras noticed is kept as long as the longest lawful keeping of footage that most channels have. */
const keepEventsMs = 90 * 86_400_000;
const mostEvents = 2_000_000;

/** Everything that leads to a moment in the footage, wired together. */
export interface FindingParts {
  registerRoutes(app: FastifyInstance): void;
  /** Begins to collect events and to tidy up. */
  start(): void;
  /** Safe to repeat. */
  close(): Promise<void>;
}

export async function createFindingParts(options: {
  db: Knex;
  cacheDir: string;
  footage: FootageSource;
  channels: ChannelSource;
  devices: DeviceEvents;
  others: OtherHappenings;
  bus: EventBus;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}): Promise<FindingParts> {
  const { db, cacheDir, footage, channels, devices, others, bus, audit, now, log } = options;
  const bookmarks = createBookmarkStore(db);
  const events = createEventStore(db);
  const thumbnails = await openFileCache({
    dir: join(cacheDir, 'thumbnails'),
    maxFiles: 20_000,
    maxBytes: 256_000_000,
    log,
  });
  const greys = await openFileCache({
    dir: join(cacheDir, 'changes'),
    maxFiles: 20_000,
    maxBytes: 1_000_000_000,
    log,
  });
  const pictures = createPictureService({
    footage,
    channels,
    cache: thumbnails,
    work: createSharedWork<Buffer>({ maxRunning: 2, maxWaiting: 128 }),
    audit,
    now,
    log,
  });
  const changes = createChangeService({
    footage,
    channels,
    cache: greys,
    work: createSharedWork<GreyFile>({ maxRunning: 1, maxWaiting: 16 }),
    audit,
    now,
    log,
  });
  const marks = createMarkService({ db, bookmarks, groups: createGroupStore(db), channels, audit, now });
  const happenings = createHappeningService({ bookmarks, events, others });
  const collector = createEventCollector({
    devices,
    store: events,
    bus,
    clock: { ...systemClock, now },
    now,
    log,
  });
  let tidying: Cron | undefined;

  async function tidy(): Promise<void> {
    const deleted = await events.prune(now() - keepEventsMs, mostEvents);
    const [forgotten, forgottenGreys] = [
      await pictures.forgetDeleted(thumbnails),
      await pictures.forgetDeleted(greys),
    ];
    log.debug({ deleted, forgotten, forgottenGreys }, 'old events and pictures of deleted footage are gone');
  }

  return {
    registerRoutes(app) {
      registerPictureRoutes(app, { pictures, changes });
      registerMarkRoutes(app, { marks, happenings });
    },
    start() {
      collector.start();
      tidying = new Cron('43 * * * *', { unref: true, protect: true }, () =>
        tidy().catch((error: unknown) => log.error({ err: error }, 'finding could not tidy up')),
      );
    },
    async close() {
      tidying?.stop();
      await collector.close();
    },
  };
}
