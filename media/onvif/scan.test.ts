import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { scanRange } from './scan.ts';
import { fault, sendSoap, startTestDevice } from './test-device.ts';

const scan = (more: object) => scanRange({ ranges: ['10.0.0.0/24'], ports: [80], log: silentLog, ...more });

describe('scanRange', () => {
  it('finds a device, also one that guards its time, and no other web server; tells its progress', async () => {
    const device = await startTestDevice();
    const guarded = await startTestDevice({
      answers: {
        GetSystemDateAndTime: (_, response) => void sendSoap(response, fault('ter:NotAuthorized', 'no'), 401),
      },
    });
    const web = createServer((_, response) => response.writeHead(401).end('<html>router</html>'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const webPort = (web.address() as AddressInfo).port;
    const progress: number[] = [];
    const found = await scanRange({
      ranges: ['127.0.0.1-2', '127.0.0.1'],
      ports: [device.port, guarded.port, webPort],
      onProgress: ({ done, total }) => progress.push(done / total),
      log: silentLog,
    });
    expect(found.map(({ port, xaddr, clock }) => [port, xaddr, clock !== undefined])).toEqual([
      [device.port, device.xaddr, true],
      [guarded.port, guarded.xaddr, false],
    ]);
    expect(progress).toHaveLength(6);
    expect(progress.at(-1)).toBe(1);
    expect(
      [...device.requests, ...guarded.requests].every(
        ({ hasToken, authorization }) => !hasToken && !authorization,
      ),
    ).toBe(true);
    await Promise.all([device.close(), guarded.close(), new Promise((resolve) => web.close(resolve))]);
  });

  it('refuses more than 4096 addresses and bad limits in plain words', async () => {
    await expect(scan({ ranges: ['10.0.0.0/16'] })).rejects.toThrow('hold 65536 addresses; at most 4096');
    await expect(scan({ ports: [0] })).rejects.toMatchObject({ code: 'rejected' });
    await expect(scan({ concurrency: 1000 })).rejects.toMatchObject({ code: 'rejected' });
    await expect(scan({ ranges: ['a-b'] })).rejects.toMatchObject({ code: 'rejected' });
  });

  it('stops when asked', async () => {
    const stop = AbortSignal.abort();
    expect(await scanRange({ ranges: ['127.0.0.0/24'], ports: [9], signal: stop, log: silentLog })).toEqual(
      [],
    );
  });
});
