import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const keyFileName = 'evidence-signing.key';

/** Signs what leaves the house, with one key for the life of the installation. */
export interface SigningKey {
  /** SPKI (DER), base64. */
  readonly publicKey: string;
  /** SHA-256 (hex) over the SPKI bytes: what people compare. */
  readonly fingerprint: string;
  /** Ed25519, 64 bytes; equal for equal bytes. Source: RFC 8032. */
  sign(bytes: Uint8Array): Buffer;
}

/**
 * The Ed25519 key in `<keysDir>/evidence-signing.key` (PKCS #8 PEM, mode 0600), made when it is not there. The folder must exist. Packages that
 * were signed with a lost key can still be verified, by the public key inside them, but no longer be told from a forger's: back it up.
 * @throws Error naming the file when it cannot be read or is no such key
 */
export function loadOrMakeSigningKey(keysDir: string): SigningKey {
  const file = join(keysDir, keyFileName);
  const key = readKey(file) ?? makeKey(file);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    publicKey: spki.toString('base64'),
    fingerprint: fingerprintOf(spki),
    sign: (bytes) => sign(null, bytes, key),
  };
}

/** The fingerprint of a public key, from its SPKI bytes. */
export function fingerprintOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

function readKey(file: string): KeyObject | undefined {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`The key that signs evidence cannot be read: ${file}.`, { cause: error });
  }
  const key = parseKey(pem, file);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${file} does not hold an Ed25519 key.`);
  return key;
}

function parseKey(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new Error(`The key that signs evidence is damaged: ${file}.`, { cause: error });
  }
}

/** Written whole, then linked into place: another process that makes the key at the same time finds ours, or we find its. */
function makeKey(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  const part = `${file}.${randomUUID()}.part`;
  try {
    const handle = openSync(part, 'wx', 0o600);
    writeSync(handle, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    fsyncSync(handle);
    closeSync(handle);
    linkSync(part, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new Error(`The key that signs evidence cannot be made: ${file}.`, { cause: error });
  } finally {
    rmSync(part, { force: true });
  }
  const key = readKey(file);
  if (!key) throw new Error(`The key that signs evidence is gone: ${file}.`);
  return key;
}
