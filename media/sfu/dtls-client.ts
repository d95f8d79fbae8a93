import { execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createBindingRequest } from './stun.ts';

/** A certificate made for one handshake. */
export interface DtlsIdentity {
  certificateFile: string;
  keyFile: string;
  /** SHA-256 of the certificate, upper-case hex pairs with colons, as in SDP. */
  fingerprint: string;
  /** Removes the files. */
  close(): Promise<void>;
}

/** Makes a P-256 key and a self-signed certificate in a new temporary folder. Needs the openssl program. */
export async function createDtlsIdentity(): Promise<DtlsIdentity> {
  const folder = await mkdtemp(join(tmpdir(), 'weian-dtls-'));
  const certificateFile = join(folder, 'certificate.pem');
  const keyFile = join(folder, 'key.pem');
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
    const subject = ['-subj', '/CN=weian-self-test', '-days', '1'];
    await promisify(execFile)('openssl', ['req', '-x509', ...key, ...subject, '-out', certificateFile], {
      timeout: 10_000,
    });
    const fingerprint = new X509Certificate(await readFile(certificateFile)).fingerprint256;
    return { certificateFile, keyFile, fingerprint, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The server to call, as its ICE parameters and candidate name it. */
export interface IceServerSide {
  address: string;
  port: number;
  usernameFragment: string;
  password: string;
}

/** One call to an ICE-lite server: connectivity check, then a DTLS 1.2 handshake as the client. */
export interface DtlsClient {
  /** Sends checks until one is answered. Rejects when `signal` aborts. */
  checkConnectivity(signal: AbortSignal): Promise<void>;
  /** Starts the handshake; what comes of it, the server side tells. Needs the check to have been answered. */
  startHandshake(identity: DtlsIdentity): void;
  /** What openssl has said so far, for the reason of a failure; without keys. */
  output(): string;
  /** Ends openssl and closes the sockets; may be called twice. */
  close(): Promise<void>;
}

const retryMs = 200;
const maxOutputChars = 4000;
// The profiles that browsers offer, strongest first.
const srtpProfiles = 'SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80';

/**
 * A DTLS client made of openssl's s_client and a relay. An ICE server takes DTLS only from an address and port that have passed
 * its check, and s_client knows no ICE: so one socket does the check, then carries s_client's datagrams both ways.
 */
export async function createDtlsClient(server: IceServerSide): Promise<DtlsClient> {
  const outer = await bindLoopback();
  const inner = await bindLoopback();
  const request = createBindingRequest({
    username: `${server.usernameFragment}:selftest`,
    password: server.password,
  });
  let opensslPort: number | undefined;
  let openssl: ReturnType<typeof spawn> | undefined;
  let output = '';
  let isClosed = false;

  inner.on('message', (datagram, from) => {
    opensslPort = from.port;
    outer.send(datagram, server.port, server.address);
  });
  outer.on('message', (datagram) => {
    if (isDtls(datagram) && opensslPort !== undefined) inner.send(datagram, opensslPort, '127.0.0.1');
  });

  const sendCheck = () => outer.send(request.message, server.port, server.address);
  const note = (text: string) => {
    output = (output + text).slice(-maxOutputChars);
  };

  return {
    async checkConnectivity(signal) {
      sendCheck();
      const timer = setInterval(sendCheck, retryMs);
      try {
        for (;;) {
          const [datagram] = (await once(outer, 'message', { signal })) as [Buffer];
          if (request.isAnsweredBy(datagram)) return;
        }
      } finally {
        clearInterval(timer);
      }
    },

    startHandshake(identity) {
      const certificate = ['-cert', identity.certificateFile, '-key', identity.keyFile];
      const target = ['-connect', `127.0.0.1:${inner.address().port}`, '-dtls1_2', '-mtu', '1200'];
      const child = spawn('openssl', ['s_client', ...target, ...certificate, '-use_srtp', srtpProfiles], {
        // An open standard input: s_client hangs up when it ends.
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      openssl = child;
      child.stdout.setEncoding('utf8').on('data', note);
      child.stderr.setEncoding('utf8').on('data', note);
      child.on('error', (error) => note(`openssl cannot be started: ${error.message}`));
    },

    // The session's keys are printed too, and belong in no log.
    output: () => output.replace(/^\s*(Master-Key|Session-ID|Resumption PSK).*$/gm, ''),

    async close() {
      if (isClosed) return;
      isClosed = true;
      if (openssl?.pid !== undefined && openssl.exitCode === null && openssl.signalCode === null) {
        const ended = once(openssl, 'exit');
        openssl.kill('SIGKILL');
        await ended;
      }
      outer.close();
      inner.close();
    },
  };
}

async function bindLoopback(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Source: RFC 7983 7, which tells STUN, DTLS and RTP on one port apart by the first byte. */
function isDtls(datagram: Buffer): boolean {
  const first = datagram[0] ?? 0;
  return first >= 20 && first <= 63;
}
