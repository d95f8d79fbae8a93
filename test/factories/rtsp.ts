import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../fixtures/rtsp-server.py', import.meta.url));

export interface RtspFixture {
  /** Address of a mount of test/fixtures/rtsp-server.py, as `h264` or `big`. */
  url(mount: string): string;
  close(): Promise<void>;
}

/** Starts test/fixtures/rtsp-server.py on a free port (or on `port`, to bring back one that was closed). */
export async function startRtsp(port?: number): Promise<RtspFixture & { port: number }> {
  const chosen = port ?? (await freePort());
  const child = spawn('/usr/bin/python3', [script, String(chosen)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  if (first[0] !== 'ready') throw new Error('the RTSP fixture did not start');
  return {
    port: chosen,
    url: (mount) => `rtsp://127.0.0.1:${chosen}/${mount}`,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
