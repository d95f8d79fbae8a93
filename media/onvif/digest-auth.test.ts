import { describe, expect, it } from 'vitest';
import { authorizationFor, offersBasic, parseDigestChallenge } from './digest-auth.ts';

const get = { method: 'GET', uri: '/dir/index.html', username: 'Mufasa', nc: 1 };
const responseOf = (header: string | undefined) => /response="(\w+)"/.exec(header ?? '')?.[1];

const rfc7616 = (algorithm: string) =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;

describe('authorizationFor', () => {
  it('gives the answers printed in RFC 7616 3.9.1', () => {
    const request = {
      ...get,
      password: 'Circle of Life',
      cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    };
    expect(responseOf(authorizationFor(rfc7616('MD5'), request))).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(responseOf(authorizationFor(rfc7616('SHA-256'), request))).toBe(
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
    // Both offered: the stronger is used.
    expect(authorizationFor([rfc7616('MD5'), rfc7616('SHA-256')], request)).toContain('algorithm=SHA-256');
    expect(authorizationFor(`${rfc7616('MD5')}, ${rfc7616('SHA-256')}`, request)).toContain(
      'algorithm=SHA-256',
    );
  });

  it('gives the answer printed in RFC 2617 3.5, and counts uses in hexadecimal', () => {
    const challenge =
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
    const header = authorizationFor(challenge, { ...get, password: 'Circle Of Life', cnonce: '0a4f113b' });
    expect(responseOf(header)).toBe('6629fae49393a05397450978507c4ef1');
    expect(authorizationFor(challenge, { ...get, password: 'x', nc: 26 })).toContain('nc=0000001a');
  });

  it('answers the RTSP form without qop, naming no algorithm', () => {
    const header = authorizationFor('Digest realm="cam", nonce="abc="', {
      method: 'DESCRIBE',
      uri: 'rtsp://h/a',
      username: 'u',
      password: 'p',
      nc: 1,
    });
    // md5(md5("u:cam:p"):abc=:md5("DESCRIBE:rtsp://h/a")), by md5sum
    expect(header).toBe(
      'Digest username="u", realm="cam", nonce="abc=", uri="rtsp://h/a", response="80775dea9e31b54361d2c85cdae83e00"',
    );
  });

  it('cannot be made to write a header line of its own', () => {
    const header = authorizationFor(
      { realm: 'a"\r\nX: 1', nonce: 'n', algorithm: 'MD5', hasQopAuth: true, isStale: false },
      { ...get, password: 'p' },
    );
    expect(header).not.toMatch(/[\r\n]/);
    expect(header).toContain('realm="a\\"X: 1"');
  });
});

describe('challenges', () => {
  it('are told apart in one line, with commas and equal signs inside quotes', () => {
    const line = 'Basic realm="a, b=c", Digest realm="x, y", nonce="n=="  , stale=TRUE';
    expect(parseDigestChallenge(line)).toMatchObject({
      realm: 'x, y',
      nonce: 'n==',
      algorithm: 'MD5',
      hasQopAuth: false,
      isStale: true,
    });
    expect(offersBasic(line)).toBe(true);
  });

  it.each([
    undefined,
    '',
    'Basic realm="x"',
    'Digest realm="x"',
    'Digest nonce="n", algorithm=SHA-512',
    'Digest nonce="n", qop="auth-int"',
  ])('%j cannot be answered', (header) => {
    expect(parseDigestChallenge(header)).toBeUndefined();
  });
});
