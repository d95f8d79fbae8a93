import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { authorizationFor } from './rtsp-auth.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const REQUEST = {
  method: 'GET',
  uri: '/dir/index.html',
  username: 'Mufasa',
  password: 'CircleOfLife',
  nc: 1,
};

describe('RTSP log-in', () => {
  it('answers the Digest example of RFC 2069 (as corrected by its errata)', () => {
    const challenge =
      'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"';
    const answer = authorizationFor([challenge], REQUEST);
    expect(answer).toContain('response="1949323746fe6a43ef61f9606e7febea"');
    expect(answer).toContain('opaque="5ccc"');
    expect(answer).not.toContain('qop');
  });

  it('prefers SHA-256, counts the nonce, and never shows the password', () => {
    const md5 = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"';
    const sha = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int"';
    const answer = authorizationFor(['Basic realm="r"', md5, sha], { ...REQUEST, nc: 10 }) ?? '';
    expect(answer).toContain('algorithm=SHA-256');
    expect(answer).toContain('nc=0000000a');
    expect(answer).not.toContain('CircleOfLife');
    const cnonce = /cnonce="(\w+)"/.exec(answer)?.[1];
    const expected = hash(
      `${hash('Mufasa:r:CircleOfLife')}:n:0000000a:${cnonce}:auth:${hash('GET:/dir/index.html')}`,
    );
    expect(answer).toContain(`response="${expected}"`);
  });

  it('falls back to Basic only where no Digest is offered, and gives up on what it does not know', () => {
    expect(authorizationFor(['Basic realm="r"'], REQUEST)).toBe('Basic TXVmYXNhOkNpcmNsZU9mTGlmZQ==');
    expect(authorizationFor(['Negotiate'], REQUEST)).toBeUndefined();
    expect(authorizationFor([], REQUEST)).toBeUndefined();
  });
});
