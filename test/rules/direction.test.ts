import { describe, expect, it } from 'vitest';
import { findWrongImports } from './direction.ts';
import { importsOf } from './imports.ts';
import { listSources } from './source-files.ts';

const sources = listSources();
const planted = (path: string, specifier: string) =>
  findWrongImports([{ path, text: `import { x } from '${specifier}';\n` }]).map((line) =>
    line.split(': ').at(-1),
  );

it('the project keeps to its direction', () => {
  expect(findWrongImports(sources)).toEqual([]);
});

it('the check looks at real imports', () => {
  const count = (folder: string) =>
    sources.filter((file) => file.path.startsWith(folder)).flatMap(importsOf).length;
  expect(count('server/')).toBeGreaterThan(100);
  expect(count('test/')).toBeGreaterThan(20);
});

it('every form of import is seen', () => {
  const text = `
import a, { type B } from './one.ts';
import type {
  C,
} from '#api/two/schema.ts';
import './three.ts';
export * from "../four.ts";
export { d } from '#media/five.ts';
const later = await import('./six.ts');
import pkg from 'package';
type T = import('./seven.ts').T;
`;
  expect(importsOf({ path: 'server/devices/x.ts', text }).map((entry) => entry.path)).toEqual([
    'server/devices/one.ts',
    'server/two/schema.ts',
    'server/devices/three.ts',
    'server/four.ts',
    'media/five.ts',
    'server/devices/six.ts',
    undefined,
    'server/devices/seven.ts',
  ]);
});

describe('a planted violation is found', () => {
  it.each([
    ['web/lib/api.ts', '#api/devices/service.ts'],
    ['web/features/Map.svelte', '#media/errors.ts'],
    ['web/lib/api.ts', '../../server/devices/store.ts'],
    ['web/lib/api.ts', 'node:fs'],
    ['media/hls/playlist.ts', '#api/errors.ts'],
    ['media/hls/playlist.ts', '../../server/log.ts'],
    ['media/hls/playlist.ts', '../../web/lib/api.ts'],
    ['media/hls/playlist.ts', 'knex'],
    ['media/onvif/device.ts', '@fastify/cookie'],
    ['server/devices/service.ts', '../../web/lib/api.ts'],
    ['server/devices/service.ts', '../../test/factories/app.ts'],
    ['server/tickets/service.ts', '#media/onvif/device.ts'],
    ['server/auth/service.ts', '#media/process/ffmpeg.ts'],
    ['server/devices/routes.ts', '#media/onvif/device.ts'],
    ['server/footage/segment-store.ts', '#media/recorder/recorder.ts'],
    ['server/tickets/service.ts', '#api/devices/store.ts'],
    ['server/tickets/service.ts', '../devices/routes.ts'],
    ['server/health/fault-rules.ts', '#api/auth/user-store.ts'],
    ['server/http/guard.ts', '#api/auth/service.ts'],
    ['server/jobs/service.ts', '#api/footage/export-service.ts'],
    ['server/config.ts', './auth/service.ts'],
    ['server/devices/schema.ts', 'knex'],
    ['server/devices/schema.ts', './service.ts'],
    ['server/devices/store.ts', 'fastify'],
    ['server/devices/store.ts', '#api/events/bus.ts'],
    ['server/devices/store.ts', './service.ts'],
    ['server/devices/routes.ts', '#api/db/database.ts'],
    ['server/devices/discovery-routes.ts', './discovery-store.ts'],
    ['server/devices/routes.ts', 'knex'],
  ])('%s imports %s', (path, specifier) => {
    expect(planted(path, specifier)).toHaveLength(1);
  });
});

describe('what is right passes', () => {
  it.each([
    ['web/lib/api.ts', '#api/devices/schema.ts'],
    ['web/lib/session.svelte.ts', '#api/auth/permissions.ts'],
    ['web/lib/errors.ts', '#api/errors.ts'],
    ['web/lib/format.test.ts', 'node:fs'],
    ['media/onvif/device.ts', '#media/errors.ts'],
    ['media/onvif/device.ts', 'node:net'],
    ['server/devices/onvif-port.ts', '#media/onvif/device.ts'],
    ['server/tickets/service.ts', '#media/log.ts'],
    ['server/tickets/service.ts', '#api/devices/service.ts'],
    ['server/tickets/service.ts', '#api/auth/audit-trail.ts'],
    ['server/tickets/store.ts', '#api/db/database.ts'],
    ['server/http/guard.ts', '#api/auth/permissions.ts'],
    ['server/app.ts', './devices/store.ts'],
    ['server/devices/schema.ts', 'typebox'],
  ])('%s imports %s', (path, specifier) => {
    expect(planted(path, specifier)).toEqual([]);
  });
});
