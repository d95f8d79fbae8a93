import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import { Gauge, type Registry } from 'prom-client';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import type { Config } from '#api/config.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { JobEnd, JobHandlers, JobService } from '#api/jobs/service.ts';
import type { Logger } from '#api/log.ts';
import type { SettingsService } from '#api/settings/service.ts';
import { systemClock, type Clock } from '#media/clock.ts';
import { createChunkTranscoder } from '#media/hls/transcode.ts';
import type { ArchiveSource, ChannelSource, ClipSource, ExportGuard } from './types.ts';
import { pathInside } from './paths.ts';
import { toWireExport } from './wire.ts';
import { fetchReplay } from '#media/replay/fetch-replay.ts';
import { createDeviceArchive } from './device-archive.ts';
import { createDeviceArchiveStore } from './device-archive-store.ts';
import { createDeviceFetcher } from './device-fetch.ts';
import { createDeviceFootage } from './device-footage.ts';
import { registerExportRoutes } from './export-routes.ts';
import { createExportRunner } from './export-runner.ts';
import { createExportService, type ExportService } from './export-service.ts';
import { createExportStore } from './export-store.ts';
import { createFootageFiles, type FootageFiles } from './footage-files.ts';
import { createHoldStore } from './hold-store.ts';
import { createIndexer } from './indexer.ts';
import { registerKeepingRoutes } from './keeping-routes.ts';
import { createKeepingService } from './keeping-service.ts';
import { createOpenFootage } from './open-footage.ts';
import { registerPlaybackRoutes } from './playback-routes.ts';
import { createOwnFootageService, type OwnFootageService } from './own-footage-service.ts';
import { createPlaybackService } from './playback.ts';
import { createRecordingService, type RecordingService } from './recording-service.ts';
import { createRetentionRunner } from './retention-runner.ts';
import { createRetentionStore } from './retention-store.ts';
import { registerFootageRoutes } from './routes.ts';
import { createRunStore } from './run-store.ts';
import { createSegmentStore, type SegmentStore } from './segment-store.ts';
import { createFootageService } from './service.ts';
import type { SpanMs } from './spans.ts';
import { repairIndex } from './start-up.ts';

export interface FootageOptions {
  readonly config: Pick<Config, 'recordingsDir' | 'exportsDir' | 'cacheDir' | 'segmentMs' | 'siteTimeZone'>;
  readonly db: Knex;
  readonly bus: EventBus;
  readonly audit: AuditTrail;
  readonly settings: SettingsService;
  readonly channels: ChannelSource;
  readonly exportGuard: ExportGuard;
  readonly archives: ArchiveSource;
  readonly listCopied: (channelId: string, range: SpanMs) => Promise<SpanMs[]>;
  readonly metrics: Registry;
  readonly now: Now;
  readonly log: Logger;
}

/** Footage fetched from devices: a day of one camera, or some hours of several; least recently used goes first. */
const deviceCacheBytes = 20_000_000_000;
/** Recorders allow few replays at once, and their operators want some left. */
const sessionsPerDevice = 2;

/** Recording, search, playback, exports, holds and retention, wired together. */
export interface FootageParts {
  readonly recording: RecordingService;
  readonly clips: ClipSource;
  readonly own: OwnFootageService;
  /** Recorded files and stretches, for whoever looks into them. */
  readonly footage: FootageFiles & Pick<SegmentStore, 'listSpans'>;
  /** For the job service, which the routes need in turn. */
  readonly handlers: JobHandlers;
  onJobEnd(end: JobEnd): Promise<void>;
  /** Registers the routes. @returns the exports, which cases are made of */
  registerRoutes(app: FastifyInstance, jobs: JobService): ExportService;
  /** Repairs the index, then records. Call before jobs run. */
  start(jobs: JobService): Promise<void>;
  /** Ends retention and recording: every open file is finished and indexed. Safe to repeat. */
  close(): Promise<void>;
}

export function createFootageParts(options: FootageOptions): FootageParts {
  const { config, db, bus, audit, settings, channels, archives, metrics, now, log } = options;
  const { recordingsDir, exportsDir, siteTimeZone } = config;
  const clock: Clock = { ...systemClock, now };
  const segments = createSegmentStore(db);
  const runs = createRunStore(db);
  const holds = createHoldStore(db);
  const classes = createRetentionStore(db);
  const exportStore = createExportStore(db);
  const indexer = createIndexer({ recordingsDir, segments, runs, log });
  const recording = createRecordingService({
    recordingsDir,
    segmentMs: config.segmentMs,
    channels,
    runs,
    indexer,
    bus,
    clock,
    log,
  });
  const open = createOpenFootage({ recorderOf: recording.recorderOf, log });
  const retention = createRetentionRunner({
    db,
    recordingsDir,
    segments,
    holds,
    classes,
    exports: exportStore,
    settings,
    openBytes: recording.openBytes,
    isDiskFull: () => recording.countByState()['disk-full'] > 0,
    bus,
    audit,
    now,
    log,
  });
  const deviceDir = join(config.cacheDir, 'device-footage');
  const deviceStore = createDeviceArchiveStore(db);
  const fetcher = createDeviceFetcher({
    store: deviceStore,
    archives,
    fetchReplay,
    dir: deviceDir,
    limitBytes: deviceCacheBytes,
    sessionsPerDevice,
    now,
    log,
  });
  const archive = createDeviceArchive({
    store: deviceStore,
    archives,
    onClockMoved: fetcher.drop,
    now,
    log,
  });
  const deviceFootage = createDeviceFootage({ store: deviceStore, archive, fetcher, dir: deviceDir, log });
  const footage = createFootageService({
    db,
    segments,
    runs,
    holds,
    open,
    devices: deviceFootage,
    listCopied: options.listCopied,
    channels,
    audit,
    siteTimeZone,
    now,
  });
  const keeping = createKeepingService({
    db,
    classes,
    holds,
    segments,
    retention,
    footage,
    siteTimeZone,
    bus,
    audit,
    now,
  });
  const files = createFootageFiles({
    segments,
    open,
    devices: deviceFootage,
    settled: indexer.settled,
    recordingsDir,
    now,
  });
  const runner = createExportRunner({
    db,
    store: exportStore,
    files,
    exportsDir,
    siteTimeZone,
    bus,
    audit,
    now,
    log,
  });
  const transcoder = createChunkTranscoder({ maxRunning: 2, cacheBytes: 128_000_000, log });
  const playback = createPlaybackService({
    segments,
    open,
    devices: deviceFootage,
    channels,
    transcoder,
    recordingsDir,
    deviceDir,
    audit,
    now,
    log,
  });
  measure(metrics, { recording, segments });

  const clips: ClipSource = {
    listByIds: exportStore.listByIds,
    async listForApi(ids) {
      const found = new Map((await exportStore.listByIds(ids)).map((entry) => [entry.id, entry]));
      return ids.flatMap((id) => found.get(id) ?? []).map(toWireExport);
    },
    pathOf: (fileName) => pathInside(exportsDir, fileName),
  };

  return {
    recording,
    clips,
    own: createOwnFootageService({ recordingsDir, segments, runs, holds, now }),
    footage: { ...files, listSpans: segments.listSpans },
    handlers: runner.handlers,
    onJobEnd: runner.onJobEnd,
    registerRoutes(app, jobs) {
      const exports = createExportService({
        db,
        store: exportStore,
        segments,
        open,
        devices: deviceFootage,
        channels,
        jobs,
        exportsDir,
        bus,
        audit,
        settings,
        guard: options.exportGuard,
        takePreview: runner.takePreview,
        siteTimeZone,
        now,
      });
      registerFootageRoutes(app, { footage, retention });
      registerKeepingRoutes(app, { keeping });
      registerPlaybackRoutes(app, { playback });
      registerExportRoutes(app, { exports, audit });
      return exports;
    },
    async start(jobs) {
      const repaired = await repairIndex({ recordingsDir, segments, runs, audit, now, log });
      log.info({ ...repaired }, 'the recording index is in order');
      await fetcher.tidy();
      await runner.tidy(jobs.find);
      recording.start();
      retention.start();
    },
    async close() {
      await archive.close();
      await fetcher.close();
      await retention.close();
      await recording.close();
    },
  };
}

function measure(
  registry: Registry,
  parts: { recording: RecordingService; segments: ReturnType<typeof createSegmentStore> },
): void {
  const { recording, segments } = parts;
  new Gauge({
    name: 'weian_recording_channels',
    help: 'Channels by state of their recording',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(recording.countByState())) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'weian_recording_segments',
    help: 'Finished recording files in the index',
    registers: [registry],
    async collect() {
      this.set((await segments.totals()).count);
    },
  });
  new Gauge({
    name: 'weian_recording_bytes',
    help: 'Bytes of finished recording files in the index',
    registers: [registry],
    async collect() {
      this.set((await segments.totals()).sizeBytes);
    },
  });
}
