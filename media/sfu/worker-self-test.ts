import * as mediasoup from 'mediasoup';
import type { types } from 'mediasoup';
import { createDtlsClient, createDtlsIdentity, type DtlsClient, type DtlsIdentity } from './dtls-client.ts';

/** What the self-test found; `reason` is for an engineer and names the step that failed. */
export type WorkerSelfTestResult =
  | { passed: true; version: string; srtpProfile: string; durationMs: number }
  | { passed: false; version: string; reason: string };

const checkTimeoutMs = 5000;
const handshakeTimeoutMs = 10_000;

/**
 * Calls a media worker as a browser would, over loopback: ICE check, DTLS 1.2 handshake, SRTP keys. Passes only when the worker
 * itself says that its DTLS transport is connected: a worker built against the wrong libraries starts well and dies
 * here. Takes about 0.3 s; leaves no process, socket or file.
 * @param workerBin the program to test
 * @param makeIdentity the client's certificate; another one lets a test see a refused handshake
 * @returns a failure as a value; throws only where the test itself cannot be made (no openssl, no temporary folder)
 */
export async function runWorkerSelfTest(
  workerBin: string,
  makeIdentity: () => Promise<DtlsIdentity> = createDtlsIdentity,
): Promise<WorkerSelfTestResult> {
  const { version } = mediasoup;
  const startedAt = performance.now();
  let worker: types.Worker;
  try {
    worker = await mediasoup.createWorker({ workerBin, logLevel: 'warn' });
  } catch (error) {
    return { passed: false, version, reason: `The worker does not start: ${messageOf(error)}` };
  }
  const identity = await makeIdentity().catch((error: unknown) => {
    worker.close();
    throw error;
  });
  try {
    const srtpProfile = await call(worker, identity);
    return { passed: true, version, srtpProfile, durationMs: Math.round(performance.now() - startedAt) };
  } catch (error) {
    return { passed: false, version, reason: messageOf(error) };
  } finally {
    worker.close();
    await identity.close();
  }
}

/** Resolves with the agreed SRTP profile; rejects with the reason, at once if the worker dies. */
async function call(worker: types.Worker, identity: DtlsIdentity): Promise<string> {
  const died = new Promise<never>((_resolve, reject) => {
    worker.on('died', (error) => reject(new Error(`The worker died during the call: ${error.message}`)));
  });
  let client: DtlsClient | undefined;
  const steps = async (): Promise<string> => {
    const router = await worker.createRouter();
    const transport = await router.createWebRtcTransport({
      listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
    });
    const [candidate] = transport.iceCandidates;
    if (candidate === undefined) throw new Error('The worker offers no ICE candidate on 127.0.0.1.');
    client = await createDtlsClient({
      address: candidate.address,
      port: candidate.port,
      usernameFragment: transport.iceParameters.usernameFragment,
      password: transport.iceParameters.password,
    });
    await transport.connect({
      dtlsParameters: {
        role: 'client',
        fingerprints: [{ algorithm: 'sha-256', value: identity.fingerprint }],
      },
    });
    await client.checkConnectivity(AbortSignal.timeout(checkTimeoutMs)).catch((cause: unknown) => {
      throw new Error(`The worker did not answer the ICE check within ${checkTimeoutMs} ms.`, { cause });
    });
    const connected = dtlsConnected(transport, client);
    client.startHandshake(identity);
    await connected;
    return await agreedProfile(client);
  };
  try {
    return await Promise.race([died, steps()]);
  } finally {
    await client?.close();
  }
}

function dtlsConnected(transport: types.WebRtcTransport, client: DtlsClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => {
      clearTimeout(timer);
      reject(
        new Error(
          `${what} (ICE ${transport.iceState}, DTLS ${transport.dtlsState}). ${lastLines(client.output())}`,
        ),
      );
    };
    const timer = setTimeout(
      () => fail(`The DTLS handshake did not finish within ${handshakeTimeoutMs} ms`),
      handshakeTimeoutMs,
    );
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected') {
        clearTimeout(timer);
        resolve();
      } else if (state === 'failed' || state === 'closed') {
        fail(`The worker refused the DTLS handshake`);
      }
    });
  });
}

/** The client's own word for what both sides will encrypt with; openssl prints it just after the handshake. */
async function agreedProfile(client: DtlsClient): Promise<string> {
  for (let waitedMs = 0; waitedMs < 2000; waitedMs += 20) {
    const profile = /SRTP Extension negotiated, profile=(\S+)/.exec(client.output())?.[1];
    if (profile !== undefined) return profile;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`The handshake finished without an SRTP profile. ${lastLines(client.output())}`);
}

function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => /error|alert|cannot|failed/i.test(line));
  return lines.length === 0 ? '' : `openssl says: ${lines.slice(-3).join(' | ')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
