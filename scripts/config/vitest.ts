import { defineConfig } from 'vitest/config';

/**
 * Four kinds of test, so that a person can run the quick ones alone:
 * `unit` (beside the code and test/rules), `api` and `stores` (real database files), `simulators` (real ffmpeg,
 * GStreamer and worker), `e2e` (real browser). The last two share two cores with what they measure, so they run one file at a time,
 * and each kind only once the one before it has ended.
 */
const slow = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['{server,media,scripts}/**/*.test.ts', 'web/**/*.test.ts', 'test/rules/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'api',
          sequence: { groupOrder: 1 },
          include: ['test/{api,stores}/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'simulators',
          sequence: { groupOrder: 2 },
          include: ['test/simulators/**/*.test.ts'],
          ...slow,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          sequence: { groupOrder: 3 },
          include: ['test/e2e/**/*.test.ts'],
          ...slow,
          testTimeout: 300_000,
        },
      },
    ],
  },
});
