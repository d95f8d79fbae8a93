import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ConfigError, loadConfig, makeDirs } from './config.ts';

it('has a default for everything, frozen', () => {
  const config = loadConfig({});
  expect(config).toMatchObject({
    host: '0.0.0.0',
    port: 8443,
    isTlsOn: true,
    adminPassword: undefined,
    siteTimeZone: 'Asia/Shanghai',
    initialCameraNetworks: [],
    segmentMs: 60_000,
    logLevel: 'info',
  });
  expect(config.databaseUrl).toBe(`sqlite:${join(config.dataDir, 'weian.db')}`);
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.initialCameraNetworks)).toBe(true);
});

it('takes an empty value for none', () => {
  const keys = [
    'PORT',
    'TLS',
    'DATA_DIR',
    'ADMIN_PASSWORD',
    'CAMERA_NETWORKS',
    'SITE_TIME_ZONE',
    'LOG_LEVEL',
  ];
  expect(loadConfig(Object.fromEntries(keys.map((key) => [key, ''])))).toEqual(loadConfig({}));
});

it('reads what is set', () => {
  const config = loadConfig({
    PORT: '0',
    TLS: 'off',
    DATA_DIR: '/srv/weian',
    DATABASE_URL: 'postgres://weian@db/weian',
    CAMERA_NETWORKS: '10.20.0.0/16, 192.168.1.0/24,',
    SEGMENT_SECONDS: '10',
  });
  expect(config).toMatchObject({
    port: 0,
    isTlsOn: false,
    databaseUrl: 'postgres://weian@db/weian',
    recordingsDir: '/srv/weian/recordings',
    keysDir: '/srv/weian/keys',
    initialCameraNetworks: ['10.20.0.0/16', '192.168.1.0/24'],
    segmentMs: 10_000,
  });
});

it('names every problem at once, by key, and repeats no password', () => {
  const load = () =>
    loadConfig({
      PORT: '70000',
      TLS: 'maybe',
      LOG_LEVEL: 'loud',
      SITE_TIME_ZONE: 'Mars/Olympus',
      CAMERA_NETWORKS: '10.0.0.0/33,10.0.0.256/8,fe80::/10,10.0.0.0',
      ADMIN_PASSWORD: 'sesame-1',
      DATABASE_URL: 'mysql://root:database-secret@db/weian',
      SEGMENT_SECONDS: '1.5',
    });
  expect(load).toThrow(ConfigError);
  let error: ConfigError | undefined;
  try {
    load();
  } catch (thrown) {
    error = thrown as ConfigError;
  }
  const keys = error?.problems.map((problem) => problem.split(':')[0]).toSorted();
  expect(keys).toEqual([
    'ADMIN_PASSWORD',
    ...Array<string>(4).fill('CAMERA_NETWORKS'),
    'DATABASE_URL',
    'LOG_LEVEL',
    'PORT',
    'SEGMENT_SECONDS',
    'SITE_TIME_ZONE',
    'TLS',
  ]);
  expect(error?.message).toMatch(/^The configuration has 11 problem\(s\):\n {2}/);
  expect(error?.message).not.toContain('sesame');
  expect(error?.message).not.toContain('database-secret');
});

it('keeps keys from other users', () => {
  const dir = mkdtempSync(join(tmpdir(), 'weian-config-'));
  const config = loadConfig({ DATA_DIR: join(dir, 'data') });
  expect(existsSync(config.dataDir)).toBe(false);
  makeDirs(config);
  makeDirs(config);
  expect(statSync(config.keysDir).mode & 0o777).toBe(0o700);
  expect(statSync(config.dataDir).mode & 0o007).toBe(0);
  rmSync(dir, { recursive: true });
});
