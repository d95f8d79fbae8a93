import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { createLogger } from '#api/log.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import { openFileCache } from '#media/thumbnails/file-cache.ts';
import { createSharedWork } from '#media/thumbnails/shared-work.ts';
import { createPictureService } from './picture-service.ts';

const log = createLogger({ logLevel: 'error' }, { write: () => undefined });
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weian-pictures-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it('forgets the pictures of footage that was deleted, and of nothing else', async () => {
  const cache = await openFileCache({ dir, maxFiles: 100, maxBytes: 10_000, log });
  const spans = new Map([
    ['c1', [{ fromAt: 1_000, toAt: 2_000 }]],
    ['c2', []],
  ]);
  const pictures = createPictureService({
    footage: {
      list: async () => [],
      listHere: async () => [],
      listSpans: async (channelId) => spans.get(channelId) ?? [],
    },
    channels: {} as ChannelSource,
    cache,
    work: createSharedWork({ maxRunning: 1, maxWaiting: 1 }),
    audit: {} as AuditTrail,
    now: () => 0,
    log,
  });
  for (const key of [
    'c1/999_r_160.jpg',
    'c1/1000_r_160.jpg',
    'c1/1999_r_320.jpg',
    'c1/2000_r.grey',
    'c2/1500_r.grey',
  ])
    await cache.put(key, Buffer.from('x'));
  expect(await pictures.forgetDeleted(cache)).toBe(3);
  expect(cache.keys()).toEqual(['c1/1000_r_160.jpg', 'c1/1999_r_320.jpg']);
});
