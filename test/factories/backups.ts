import { join } from 'node:path';
import type { Run, TargetChange } from '#api/backups/schema.ts';
import type { ChannelStream } from '#api/footage/types.ts';
import { makeTestApp, type TestApp } from './app.ts';
import { insertUser } from './database.ts';
import { addChannel, makeChannelSource, until, writeRecording } from './footage.ts';

/** A console with a minute of one camera's footage in files of 5 s, and what a test of backups asks of it. */
export interface BackupWorld {
  readonly app: TestApp;
  readonly recordingsDir: string;
  readonly channelId: string;
  readonly fromAt: string;
  readonly toAt: string;
  post<T>(url: string, payload?: object, status?: number): Promise<T>;
  /** Sets up a target and gives its id. */
  addTarget(target: TargetChange): Promise<string>;
  /** Copies the whole minute. @returns the run's id */
  copy(targetId: string): Promise<string>;
  restore(targetId: string): Promise<string>;
  run(id: string): Promise<Run>;
  /** Waits until the run is in one of the states. */
  waitFor(id: string, states: readonly Run['state'][], deadlineMs?: number): Promise<Run>;
}

export async function makeBackupWorld(
  env: Record<string, string> = {},
  { seconds = 60, segmentSeconds = 5 } = {},
): Promise<BackupWorld> {
  const startAt = Math.floor((Date.now() - 3_600_000) / 1000) * 1000;
  const channelId = 'c1';
  const streams = new Map<string, ChannelStream | null>([[channelId, null]]);
  const app = await makeTestApp({ channels: makeChannelSource(streams) }, env);
  const recordingsDir = join(app.dataDir, 'recordings');
  await addChannel(app.db, { id: channelId, name: '急诊大厅' });
  await insertUser(app.db, 'user-admin', 'admin');
  await writeRecording({ recordingsDir, channelId, startAt, seconds, segmentSeconds });
  await app.start();
  const fromAt = new Date(startAt).toISOString();
  const toAt = new Date(startAt + seconds * 1000).toISOString();
  const post = async <T>(url: string, payload: object = {}, status = 201): Promise<T> => {
    const answer = await app.as('admin', { method: 'POST', url, payload });
    if (answer.statusCode !== status) throw new Error(`${url}: ${answer.statusCode} ${answer.body}`);
    return answer.json() as T;
  };
  const run = async (id: string): Promise<Run> => {
    const answer = await app.as('admin', { method: 'GET', url: '/api/backups/runs' });
    const found = answer.json<{ runs: Run[] }>().runs.find((entry) => entry.id === id);
    if (!found) throw new Error(`no run ${id}`);
    return found;
  };
  return {
    app,
    recordingsDir,
    channelId,
    fromAt,
    toAt,
    post,
    async addTarget(target) {
      await post('/api/backups/targets', target);
      const answer = await app.as('admin', { method: 'GET', url: '/api/backups/targets' });
      const { targets } = answer.json<{ targets: { id: string; name: string }[] }>();
      return targets.find((entry) => entry.name === target.name)?.id ?? '';
    },
    async copy(targetId) {
      const ask = { targetId, channelIds: null, fromAt, toAt, isHeldOnly: false };
      return (await post<{ id: string }>('/api/backups/copy', ask)).id;
    },
    async restore(targetId) {
      const ask = { targetId, channelId, fromAt, toAt, keepDays: 7, reason: '公安调取' };
      return (await post<{ id: string }>('/api/backups/restore', ask)).id;
    },
    run,
    waitFor: (id, states, deadlineMs = 20_000) =>
      until(
        async () => {
          const found = await run(id);
          return states.includes(found.state) ? found : undefined;
        },
        deadlineMs,
        `run ${id} in ${states.join(' or ')}`,
      ),
  };
}
