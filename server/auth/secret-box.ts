import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const keyFileName = 'device-secrets.key';
const keyBytes = 32;
const nonceBytes = 12; // what GCM is specified for: NIST SP 800-38D, 8.2
const tagBytes = 16;

/** The key for device passwords is missing, damaged or not the one that sealed them. Its message is for the person at the server. */
export class SecretKeyError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SecretKeyError';
  }
}

/** Seals short secrets (device passwords) for the database; the key stays in a file outside it. */
export interface SecretBox {
  /**
   * @param aad what the secret belongs to (its row's id): a sealed text moved to another row does not open
   * @returns `v1.<key id>.<base64url of nonce, ciphertext, tag>`; differs each time
   * @throws SecretKeyError when the key file cannot be read or made
   */
  seal(plain: string, aad: string): string;
  /** @throws SecretKeyError when the key is missing or another one, or the text was changed or belongs elsewhere */
  open(sealed: string, aad: string): string;
  /** Whether `sealed` was made with the key now in place; decrypts nothing. @throws SecretKeyError when the key is missing or damaged */
  isFromThisKey(sealed: string): boolean;
}

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

/**
 * AES-256-GCM with the 32-byte key in `<keysDir>/device-secrets.key` (base64, mode 0600), read or made at first use: the first `seal` makes it,
 * `open` never does. The folder must exist. Back the file up apart from the database: without it every device password must be entered again.
 * Source: NIST SP 800-38D.
 */
export function createSecretBox(keysDir: string): SecretBox {
  const file = join(keysDir, keyFileName);
  let known: Key | undefined;
  const existingKey = (): Key => {
    known ??= readKey(file);
    if (!known) throw new SecretKeyError(missing(file));
    return known;
  };

  return {
    seal(plain, aad) {
      known ??= readKey(file) ?? makeKey(file);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', known.bytes, nonce);
      cipher.setAAD(Buffer.from(aad, 'utf8'));
      const body = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `v1.${known.id}.${body.toString('base64url')}`;
    },

    open(sealed, aad) {
      const { keyId, body } = parse(sealed);
      const key = existingKey();
      if (key.id !== keyId) throw new SecretKeyError(otherKey(file, keyId, key.id));
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, body.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(Buffer.from(aad, 'utf8'));
      decipher.setAuthTag(body.subarray(-tagBytes));
      try {
        const plain = decipher.update(body.subarray(nonceBytes, -tagBytes));
        return Buffer.concat([plain, decipher.final()]).toString('utf8');
      } catch (error) {
        throw new SecretKeyError('A sealed device password was changed or belongs to another row.', {
          cause: error,
        });
      }
    },

    isFromThisKey: (sealed) => parse(sealed).keyId === existingKey().id,
  };
}

/**
 * The check before start: every sealed text must have been made with the key in place. With none sealed, a missing key is fine.
 * @throws SecretKeyError saying which file is missing or wrong
 */
export function assertKeyFits(box: SecretBox, sealed: readonly string[]): void {
  const others = sealed.filter((text) => !box.isFromThisKey(text));
  if (others.length > 0)
    throw new SecretKeyError(
      `${others.length} of ${sealed.length} device passwords were sealed with another key than ${keyFileName} in the keys folder. Put the right key file back, or remove those credentials and enter them again.`,
    );
}

const missing = (file: string) =>
  `The key for device passwords is missing: ${file}. Put it back from the backup; without it the stored device passwords cannot be read.`;
const otherKey = (file: string, wanted: string, found: string) =>
  `This device password was sealed with key ${wanted}, but ${file} is key ${found}. Put the right key file back, or enter the password again.`;

function parse(sealed: string): { keyId: string; body: Buffer } {
  const [version, keyId = '', text = '', ...rest] = sealed.split('.');
  const body = Buffer.from(text, 'base64url');
  if (version !== 'v1' || keyId === '' || rest.length > 0 || body.length < nonceBytes + tagBytes)
    throw new SecretKeyError('A sealed device password in the database has an unknown form.');
  return { keyId, body };
}

function toKey(bytes: Buffer): Key {
  return { id: createHash('sha256').update('weian key id').update(bytes).digest('hex').slice(0, 12), bytes };
}

function readKey(file: string): Key | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SecretKeyError(`The key for device passwords cannot be read: ${file}.`, { cause: error });
  }
  const bytes = Buffer.from(text.trim(), 'base64');
  if (bytes.length !== keyBytes)
    throw new SecretKeyError(`The key file is damaged: ${file} must hold ${keyBytes} bytes in base64.`);
  return toKey(bytes);
}

/** Written whole, then linked into place: another process that makes the key at the same time finds ours, or we find its. */
function makeKey(file: string): Key {
  const part = `${file}.${randomUUID()}.part`;
  try {
    const handle = openSync(part, 'wx', 0o600);
    writeSync(handle, `${randomBytes(keyBytes).toString('base64')}\n`);
    fsyncSync(handle); // a password sealed with a key that a power cut took away is lost
    closeSync(handle);
    linkSync(part, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new SecretKeyError(`The key for device passwords cannot be made: ${file}.`, { cause: error });
  } finally {
    removeIfThere(part);
  }
  const key = readKey(file);
  if (!key) throw new SecretKeyError(missing(file));
  return key;
}

function removeIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
