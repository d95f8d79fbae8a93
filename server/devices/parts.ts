import type { FastifyInstance } from 'fastify';
import type { Knex } from 'knex';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { SecretBox } from '#api/auth/secret-box.ts';
import type { Now } from '#api/clock.ts';
import type { EventBus } from '#api/events/bus.ts';
import type { Logger } from '#api/log.ts';
import { createArchiveCalls, type ArchiveCalls } from './archive-calls.ts';
import { createCameraCalls, type CameraCalls } from './camera-calls.ts';
import { registerDiscoveryRoutes } from './discovery-routes.ts';
import { createDiscoveryService } from './discovery-service.ts';
import { createFindingStore } from './discovery-store.ts';
import { createFindings } from './findings.ts';
import { createInquiry } from './inquiry.ts';
import { createLearning } from './learning.ts';
import type { OnvifPort } from './onvif-port.ts';
import { createRefreshSchedule } from './refresh.ts';
import { createDeviceRegister, type DeviceRegister } from './register.ts';
import { createRegistration } from './registration.ts';
import { registerDeviceRoutes } from './routes.ts';
import { createDeviceService, type DeviceService } from './service.ts';
import { createDeviceStore } from './store.ts';
import { createDeviceViews, type ChannelStates } from './views.ts';

/** The capability as the rest of the program sees it. */
export interface DeviceParts {
  readonly register: DeviceRegister;
  readonly devices: DeviceService;
  /** Streams, snapshots, PTZ: what recording, live view and health checks call. */
  readonly cameras: CameraCalls;
  /** Devices' own recordings. */
  readonly archives: ArchiveCalls;
  registerRoutes(http: FastifyInstance): void;
  start(): void;
  close(): Promise<void>;
}

/** Puts the register, discovery and calls to cameras together. `states` is asked only once requests come in. */
export async function createDeviceParts(options: {
  db: Knex;
  bus: EventBus;
  audit: AuditTrail;
  secrets: SecretBox;
  onvif: OnvifPort;
  networks: () => readonly string[];
  hasPlace: (id: string) => Promise<boolean>;
  states: ChannelStates;
  now: Now;
  log: Logger;
}): Promise<DeviceParts> {
  const { db, bus, audit, now, onvif, networks, states } = options;
  const log = options.log.child({ component: 'devices' });
  const store = createDeviceStore(db);
  const register = await createDeviceRegister(store);
  const inquiry = createInquiry({ onvif, networks, now, log });
  const devices = createDeviceService({ ...options, store, register });
  const cameras = createCameraCalls({ register, devices, inquiry, onvif, bus, networks, now, log });
  const archives = createArchiveCalls({ register, devices, inquiry, onvif, networks, log });
  const views = createDeviceViews({ register, bus, states });

  const findingStore = createFindingStore(db);
  await findingStore.resetAsking();
  const findings = createFindings({ store: findingStore, register, bus, now });
  const learning = createLearning({ findings, register, devices, inquiry, audit, log });
  const discovery = createDiscoveryService({ ...options, findings, learning, register, log });
  const registration = createRegistration({ findings, store: findingStore, devices, learning, bus });
  const refresh = createRefreshSchedule({ register, learning });

  return {
    register,
    devices,
    cameras,
    archives,
    registerRoutes(http) {
      registerDeviceRoutes(http, { devices, register, views, cameras, learning, audit, now });
      registerDiscoveryRoutes(http, { discovery, findings, learning, registration });
    },
    start: () => refresh.start(),
    async close() {
      await discovery.close();
      await learning.close();
      await refresh.close();
      cameras.close();
    },
  };
}
