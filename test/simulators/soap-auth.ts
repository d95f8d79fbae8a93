import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { child, textAt, type Node } from './xml.ts';

/** A device accepts a token whose Created is at most this far from its own clock. */
export const MAX_CREATED_SKEW_MS = 5_000;
const NONCE_LIFE_MS = 60_000;

/** What a check of credentials found. `absent`: none were sent, which is no failed login. */
export type AuthResult = 'ok' | 'absent' | 'wrong';

interface Account {
  user: string;
  password: string;
}

function same(a: string | Buffer, b: string | Buffer): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/** WS-Security UsernameToken with PasswordDigest. A nonce is taken once. Source: WSS UsernameToken Profile 1.0 §3; ONVIF Core §5.9. */
export class UsernameTokens {
  readonly #seen = new Map<string, number>();

  /** `nowAt`: the device's own clock, epoch ms. */
  check(header: Node | undefined, account: Account, nowAt: number): AuthResult {
    const token = child(child(header, 'Security'), 'UsernameToken');
    if (!token) return 'absent';
    const [user, digest] = [textAt(token, 'Username'), textAt(token, 'Password')];
    const [nonce, created] = [textAt(token, 'Nonce'), textAt(token, 'Created')];
    if (!user || !digest || !nonce || !created) return 'wrong';
    const createdAt = Date.parse(created);
    if (!(Math.abs(createdAt - nowAt) <= MAX_CREATED_SKEW_MS)) return 'wrong';
    for (const [old, at] of this.#seen) if (nowAt - at > NONCE_LIFE_MS) this.#seen.delete(old);
    if (this.#seen.has(nonce)) return 'wrong';
    this.#seen.set(nonce, nowAt);
    const expected = createHash('sha1')
      .update(Buffer.concat([Buffer.from(nonce, 'base64'), Buffer.from(created + account.password)]))
      .digest('base64');
    return same(user, account.user) && same(digest, expected) ? 'ok' : 'wrong';
  }
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** HTTP Digest, MD5, qop auth. A nonce lives a minute and its counter must rise. Source: RFC 7616 §3. */
export class HttpDigest {
  readonly #nonces = new Map<string, { at: number; count: number }>();
  readonly #realm: string;

  constructor(realm: string) {
    this.#realm = realm;
  }

  challenge(nowAt: number): string {
    for (const [old, { at }] of this.#nonces) if (nowAt - at > NONCE_LIFE_MS) this.#nonces.delete(old);
    const nonce = randomBytes(16).toString('hex');
    this.#nonces.set(nonce, { at: nowAt, count: 0 });
    return `Digest realm="${this.#realm}", qop="auth", algorithm=MD5, nonce="${nonce}", opaque="5ccc069c403ebaf9f0171e9517f40e41"`;
  }

  check(header: string | undefined, method: string, url: string, account: Account): AuthResult {
    if (!header) return 'absent';
    if (!/^Digest\s/i.test(header)) return 'wrong'; // Basic is never taken
    const field: Record<string, string> = {};
    for (const m of header.slice(7).matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)) {
      field[m[1]!.toLowerCase()] = (m[2] ?? m[3]!).replace(/\\(.)/g, '$1');
    }
    const { nonce = '', uri = '', response = '', nc = '', cnonce = '', qop } = field;
    const known = this.#nonces.get(nonce);
    const count = parseInt(nc, 16);
    if (!known) return 'absent'; // a stale nonce wants a new challenge and counts as no attempt
    if (qop !== 'auth' || !(count > known.count) || uri !== url || field.realm !== this.#realm)
      return 'wrong';
    const expected = md5(
      [
        md5(`${account.user}:${this.#realm}:${account.password}`),
        nonce,
        nc,
        cnonce,
        qop,
        md5(`${method}:${uri}`),
      ].join(':'),
    );
    if (!same(field.username ?? '', account.user) || !same(response, expected)) return 'wrong';
    known.count = count;
    return 'ok';
  }
}
