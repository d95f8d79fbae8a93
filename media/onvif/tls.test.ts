import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { openDevice } from './device.ts';
import { learnDevice } from './learn.ts';
import { startTestDevice } from './test-device.ts';

/** A camera's self-signed certificate, long expired as they are. */
async function certificate() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=camera',
    notBefore: new Date(0),
    notAfter: new Date(1e12),
    keys,
    signingAlgorithm: algorithm,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: made.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----`,
  };
}

const login = { username: 'admin', password: 'secret' };

describe('a device with TLS', () => {
  it('is accepted at first and returns its fingerprint; a later certificate is refused before anything is sent', async () => {
    const device = await startTestDevice({
      auth: 'ws',
      tls: await certificate(),
      open: ['GET /snap.jpg?c=1'],
    });
    const learned = await learnDevice({ xaddr: device.xaddr }, { credentialSets: [login], log: silentLog });
    expect(learned.outcome).toBe('ok');
    expect(learned.facts.tlsFingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(device.requests.every(({ client }) => client === 'own')).toBe(true);

    const pinned = openDevice(
      {
        xaddr: device.xaddr,
        credentials: login,
        tlsFingerprint: learned.facts.tlsFingerprint?.toLowerCase(),
      },
      { log: silentLog },
    );
    expect((await pinned.getInformation()).model).toBe('D-1');
    expect((await pinned.getSnapshot({ snapshotUri: `${device.origin}/snap.jpg?c=1` }))[0]).toBe(0xff);

    const before = device.requests.length;
    const other = { xaddr: device.xaddr, tlsFingerprint: 'AA:'.repeat(31) + 'AA' };
    await expect(openDevice(other, { log: silentLog }).getClock()).rejects.toMatchObject({
      code: 'protocol',
      details: { reason: 'tls-fingerprint', tlsFingerprint: learned.facts.tlsFingerprint },
    });
    const again = await learnDevice(other, { credentialSets: [login], log: silentLog });
    expect(again).toMatchObject({
      outcome: 'unsupported',
      reason: expect.stringContaining('another certificate'),
    });
    expect(device.requests.length).toBe(before);
    await device.close();
  });

  it('asked over TLS at a plain HTTP port is an error, not a hang', async () => {
    const device = await startTestDevice();
    await expect(
      openDevice(
        { xaddr: device.xaddr.replace('http:', 'https:') },
        { log: silentLog, deadlineMs: 1_000 },
      ).getClock(),
    ).rejects.toMatchObject({ name: 'MediaError', code: 'protocol' });
    await device.close();
  });
});
