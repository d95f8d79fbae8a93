import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChannelStream } from '#api/footage/types.ts';
import { makeTestApp, type TestApp } from '../factories/app.ts';
import { addChannel, makeChannelSource, until, writeRecording } from '../factories/footage.ts';
import { startRtsp, type RtspFixture } from '../factories/rtsp.ts';

const mebibyte = 1_048_576;
const diskBytes = 256 * mebibyte;

/** A disk of its own, so that "full" is really full. Tests run as root on Debian; where a mount is refused, a byte limit stands in. */
function mountSmallDisk(): { dir: string; isMounted: boolean; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'weian-disk-'));
  let isMounted = true;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', dir], { stdio: 'pipe' });
  } catch (error) {
    process.stderr.write(`no tmpfs here, using maxBytes instead: ${String(error)}\n`);
    isMounted = false;
  }
  return {
    dir,
    isMounted,
    remove() {
      if (isMounted) execFileSync('umount', [dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

describe('a disk that fills up while cameras record', () => {
  const disk = mountSmallDisk();
  const streams = new Map<string, ChannelStream | null>();
  let app: TestApp;
  let rtsp: RtspFixture;
  const oldAt = Date.now() - 3_600_000;
  const iso = (at: number) => new Date(at).toISOString();

  beforeAll(async () => {
    rtsp = await startRtsp();
    app = await makeTestApp(
      { channels: makeChannelSource(streams) },
      { RECORDINGS_DIR: disk.dir, SEGMENT_SECONDS: '4' },
    );
    for (const id of ['old', 'now']) await addChannel(app.db, { id });
    streams.set('old', null);
    streams.set('now', {
      kind: 'main',
      codec: 'H264',
      source: { url: rtsp.url('big'), transport: 'tcp' },
    });
    await writeRecording({
      recordingsDir: disk.dir,
      channelId: 'old',
      startAt: oldAt,
      seconds: 120,
      size: '640x480',
    });
    // The factory setting keeps 2 GB free, which this disk never had.
    await setLimits({ minFreeBytes: 100_000_000, maxBytes: null });
    await app.start();
  });
  const setLimits = async (limits: { minFreeBytes: number; maxBytes: number | null }) => {
    const payload = { storage: { warnDaysLeft: 2, ...limits } };
    const answer = await app.as('admin', { method: 'PATCH', url: '/api/settings', payload });
    expect(answer.statusCode).toBe(200);
  };
  afterAll(async () => {
    await app?.destroy();
    await rtsp?.close();
    disk.remove();
  });

  const room = async () => (await app.as('security', { method: 'GET', url: '/api/footage/storage' })).json();
  const timeline = async (channelId: string, fromAt: number, toAt: number) => {
    const payload = { channelIds: [channelId], fromAt: iso(fromAt), toAt: iso(toAt) };
    const answer = await app.as('security', { method: 'POST', url: '/api/footage/timeline', payload });
    return answer.json().channels[0] as {
      spans: { fromAt: string; toAt: string }[];
      gaps: { fromAt: string; toAt: string; cause: string | null }[];
    };
  };

  it('warns, deletes the oldest unheld footage first, and records on without a gap', async () => {
    const hold = await app.as('security', {
      method: 'POST',
      url: '/api/footage/holds',
      payload: { channelId: 'old', fromAt: iso(oldAt), toAt: iso(oldAt + 9_000), reason: '取证' },
    });
    expect(hold.statusCode).toBe(201);
    const recordingSince = await until(
      async () => (await timeline('now', Date.now() - 60_000, Date.now())).spans[0]?.fromAt,
      60_000,
      'the first picture',
    );
    const { usedBytes } = await room();
    const disk0 = await statfs(disk.dir);
    const free = disk0.bavail * disk0.bsize;
    const limits = disk.isMounted
      ? { minFreeBytes: free - 2 * mebibyte, maxBytes: null } // two more mebibytes, then room must be made
      : { minFreeBytes: 100_000_000, maxBytes: usedBytes + 2 * mebibyte };
    await setLimits(limits);
    await until(async () => (await room()).level === 'warning', 15_000, 'the warning');

    const gaps = await until(
      async () => {
        const found = (await timeline('old', oldAt, oldAt + 120_000)).gaps;
        return found.length > 0 && Date.parse(found[0]?.toAt ?? '') - oldAt >= 50_000 ? found : undefined;
      },
      60_000,
      'the deletion of half a minute of old footage',
    );
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toMatchObject({ fromAt: iso(oldAt + 10_000), cause: 'deleted-before-minimum' });

    const now = await timeline('now', Date.parse(recordingSince), Date.now());
    expect(now.gaps).toEqual([]);
    expect(now.spans).toHaveLength(1);
    const after = await statfs(disk.dir);
    if (disk.isMounted)
      expect(after.bavail * after.bsize).toBeGreaterThan(limits.minFreeBytes - 2 * mebibyte);
    const trail = await app.db('audit_entries').where({ action: 'storage.level-changed' }).orderBy('seq');
    expect(JSON.parse(trail[0].detail_json)).toMatchObject({ level: 'warning' });
  });

  it('says that held footage fills all when nothing else is left to delete', async () => {
    const all = { channelId: 'now', fromAt: iso(Date.now() - 600_000), toAt: iso(Date.now() + 600_000) };
    await app.as('security', {
      method: 'POST',
      url: '/api/footage/holds',
      payload: { ...all, reason: '取证' },
    });
    await app.as('security', {
      method: 'POST',
      url: '/api/footage/holds',
      payload: { channelId: 'old', fromAt: iso(oldAt), toAt: iso(oldAt + 600_000), reason: '取证' },
    });
    const status = await until(
      async () => {
        const found = await room();
        return found.level === 'critical' ? found : undefined;
      },
      60_000,
      'the alarm',
    );
    expect(status.reason).toBe('held-fills-all');
    const before = (await timeline('old', oldAt, oldAt + 120_000)).gaps;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await timeline('old', oldAt, oldAt + 120_000)).gaps).toEqual(before);
    // That footage goes before its minimum is an error to be told; anything else is one of ours.
    const errors = app.logLines.filter((line) => line.includes('"level":"error"'));
    expect(errors.filter((line) => !line.includes('before the minimum'))).toEqual([]);
  });
});
