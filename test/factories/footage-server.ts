/**
 * The console as a process of its own, for tests that kill it: like server/main.ts, with cameras from `TEST_CAMERAS`
 * (JSON: channel id → RTSP address) and the role of a request in `x-test-role`. Prints `listening <port>`.
 */
import { buildApp } from '#api/app.ts';
import type { Role } from '#api/auth/permissions.ts';
import { loadConfig } from '#api/config.ts';
import type { ChannelStream } from '#api/footage/types.ts';
import { createLogger } from '#api/log.ts';
import { addChannel, makeChannelSource } from './footage.ts';

const cameras = JSON.parse(process.env.TEST_CAMERAS ?? '{}') as Record<string, string>;
const streams = new Map<string, ChannelStream>(
  Object.entries(cameras).map(([id, url]) => [
    id,
    { kind: 'main', codec: 'H264', source: { url, transport: 'tcp' } },
  ]),
);
const config = loadConfig({ ...process.env, TLS: 'off', HOST: '127.0.0.1', PORT: '0' });
const app = await buildApp(config, {
  log: createLogger(config, { write: (line) => void process.stderr.write(line) }),
  channels: makeChannelSource(streams),
  authenticate: async (request) => {
    const role = request.headers['x-test-role'] as Role | undefined;
    if (!role) return undefined;
    return {
      userId: `user-${role}`,
      username: role,
      displayName: role,
      role,
      sessionHash: 'test',
      csrfToken: 'test',
      mustChangePassword: false,
    };
  },
});
for (const id of streams.keys())
  if (!(await app.db('channels').where({ id }).first())) await addChannel(app.db, { id });
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));
await app.start();
const address = await app.http.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`listening ${new URL(address).port}\n`);
