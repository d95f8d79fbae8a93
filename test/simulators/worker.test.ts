import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDtlsIdentity, type DtlsIdentity } from '#media/sfu/dtls-client.ts';
import { runWorkerSelfTest } from '#media/sfu/worker-self-test.ts';
import { checkWorker, workerBinPath } from '#media/sfu/worker.ts';
import * as mediasoup from 'mediasoup';
import { afterAll, beforeAll, expect, test } from 'vitest';

const workerBin = workerBinPath(process.env);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weian-worker-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A program in the worker's place. */
function writeProgram(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('the worker completes an ICE check and a DTLS handshake, and agrees on SRTP keys', async () => {
  const result = await runWorkerSelfTest(workerBin);
  expect(result).toMatchObject({
    passed: true,
    version: mediasoup.version,
    srtpProfile: expect.stringMatching(/^SRTP_A/),
  });
});

/** A client that announces one certificate and shows another. */
async function makeFalseIdentity(): Promise<DtlsIdentity> {
  const [announced, used] = await Promise.all([createDtlsIdentity(), createDtlsIdentity()]);
  return {
    ...used,
    fingerprint: announced.fingerprint,
    close: async () => void (await Promise.all([announced.close(), used.close()])),
  };
}

test('a client whose certificate is not the announced one is refused, and the reason says so', async () => {
  const result = await runWorkerSelfTest(workerBin, makeFalseIdentity);
  expect(result).toMatchObject({
    passed: false,
    reason: expect.stringContaining('refused the DTLS handshake'),
  });
});

/** An honest client in whose call the worker is ended from outside, as a crash would. */
async function makeIdentityAndCrashWorker(): Promise<DtlsIdentity> {
  const identity = await createDtlsIdentity();
  const children = execFileSync('ps', ['--ppid', String(process.pid), '-o', 'pid=,comm='], {
    encoding: 'utf8',
  });
  const pid = Number(/(\d+) mediasoup-worke/.exec(children)?.[1]);
  setTimeout(() => process.kill(pid, 'SIGSEGV'), 5);
  return identity;
}

test('a worker that dies in the middle of the call fails at once, with the signal named', async () => {
  const result = await runWorkerSelfTest(workerBin, makeIdentityAndCrashWorker);
  expect(result).toMatchObject({ passed: false, reason: expect.stringContaining('SIGSEGV') });
});

test('a program that is no worker fails as one that does not start', async () => {
  const result = await runWorkerSelfTest(writeProgram('not-a-worker', 'exit 7'));
  expect(result).toMatchObject({ passed: false, reason: expect.stringContaining('does not start') });
});

test('the liveness check tells the version, and an absent or broken worker apart from a good one', async () => {
  expect(await checkWorker(workerBin)).toEqual({ version: mediasoup.version });
  await expect(checkWorker(join(folder, 'absent'))).rejects.toMatchObject({ code: 'tool-missing' });
  const broken = writeProgram(
    'broken',
    'echo "error while loading shared libraries: libsrtp2.so.1" >&2; exit 127',
  );
  await expect(checkWorker(broken)).rejects.toMatchObject({
    code: 'tool-missing',
    message: expect.stringContaining('libsrtp2.so.1'),
  });
});

test('a worker that hangs is ended, not waited for', async () => {
  const hung = writeProgram('hung', 'exec sleep 60');
  await expect(checkWorker(hung)).rejects.toMatchObject({ code: 'timeout' });
});
