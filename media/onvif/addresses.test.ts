import { describe, expect, it } from 'vitest';
import { countAddresses, expandRanges, isInRanges, parseIpv4, parseRange } from './cidr.ts';
import { correctHost } from './hosts.ts';
import { identityOf, normaliseMac, normaliseReference } from './identity.ts';

describe('IPv4 ranges', () => {
  it('reads prefixes, spans and single addresses', () => {
    expect(expandRanges([parseRange('10.0.0.7/30')])).toEqual([
      '10.0.0.4',
      '10.0.0.5',
      '10.0.0.6',
      '10.0.0.7',
    ]);
    expect(expandRanges([parseRange('10.0.0.254-10.0.1.1')])).toEqual([
      '10.0.0.254',
      '10.0.0.255',
      '10.0.1.0',
      '10.0.1.1',
    ]);
    expect(expandRanges([parseRange(' 10.0.0.9-11 '), parseRange('10.0.0.10')])).toEqual([
      '10.0.0.9',
      '10.0.0.10',
      '10.0.0.11',
    ]);
    expect(countAddresses([parseRange('0.0.0.0/0')])).toBe(2 ** 32);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.1/33',
    '10.0.0.9-10.0.0.1',
    '10.0.0.0/8/8',
    '010.0.0.1',
    '10.0.0.1-',
    'a.b.c.d',
    '::1',
  ])('refuses %j', (text) => {
    expect(() => parseRange(text)).toThrow(expect.objectContaining({ code: 'rejected' }));
  });

  it('contains its ends and nothing beyond', () => {
    const ranges = [parseRange('192.168.1.0/24')];
    expect(
      ['192.168.1.0', '192.168.1.255', '192.168.2.0', '192.168.0.255', 'camera'].map((address) =>
        isInRanges(address, ranges),
      ),
    ).toEqual([true, true, false, false, false]);
    expect(parseIpv4('255.255.255.255')).toBe(2 ** 32 - 1);
  });
});

describe('correctHost', () => {
  const at = 'http://10.1.0.5:8080/onvif/device_service';
  const networks = [parseRange('10.1.0.0/16'), parseRange('0.0.0.0/32')];
  it.each([
    ['rtsp://10.1.0.5:554/a?b=1', 'rtsp', 'rtsp://10.1.0.5:554/a?b=1'],
    ['rtsp://u:p@10.1.0.9/a', 'rtsp', 'rtsp://10.1.0.9/a'],
    ['rtsp://192.168.1.64:554/a', 'rtsp', 'rtsp://10.1.0.5:554/a'],
    ['rtsp://0.0.0.0/a', 'rtsp', 'rtsp://10.1.0.5/a'],
    ['rtsp://camera.local/a', 'rtsp', 'rtsp://10.1.0.5/a'],
    ['http://192.168.1.64/onvif/media?x=1', 'http', 'http://10.1.0.5:8080/onvif/media?x=1'],
    ['http://10.1.0.5/onvif/media', 'http', 'http://10.1.0.5/onvif/media'],
    ['http://10.1.0.5/a', 'rtsp', undefined],
    ['file:///etc/passwd', 'http', undefined],
    ['10.1.0.5/live', 'rtsp', undefined],
  ] as const)('%s as %s', (uri, kind, expected) => {
    const result = correctHost(uri, at, kind, networks);
    expect(result?.uri).toBe(expected);
    expect(result?.replaced !== undefined).toBe(
      expected !== undefined && new URL(uri).hostname !== new URL(expected).hostname,
    );
  });

  it('never lowers https to http', () => {
    expect(
      correctHost('http://10.1.0.5/onvif/media', 'https://10.1.0.5/onvif/device_service', 'http', networks)
        ?.uri,
    ).toBe('https://10.1.0.5/onvif/media');
  });
});

describe('identityOf', () => {
  const information = { manufacturer: 'A', model: 'B', serialNumber: 'S-001' };
  const interfaces = [{ mac: '00:1b:c5:00:00:0a', addresses: [] }];
  it('takes serial, then MAC, then endpoint reference', () => {
    expect(identityOf({ information, interfaces, endpointReference: 'urn:uuid:X-1' })).toEqual({
      kind: 'serial',
      key: 'serial:A/B/S-001',
      keys: ['serial:A/B/S-001', 'mac:00:1b:c5:00:00:0a', 'epr:x-1'],
    });
    expect(identityOf({ information: { serialNumber: 'none' }, interfaces })?.key).toBe(
      'mac:00:1b:c5:00:00:0a',
    );
    expect(identityOf({ endpointReference: 'uuid:X-1' })?.key).toBe('epr:x-1');
  });

  it.each([
    '',
    '0',
    '00000000',
    '0000-0000',
    'None',
    'N/A',
    'unknown',
    'SerialNumber',
    '123456789',
    '0123456789',
    'xxxx',
    'a',
  ])('the serial %j is none', (serialNumber) => {
    expect(identityOf({ information: { ...information, serialNumber } })).toBeUndefined();
  });

  it('normalises what devices write differently', () => {
    expect(
      ['00-1B-C5-00-00-0A', '001bc500000a', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', 'x'].map(normaliseMac),
    ).toEqual(['00:1b:c5:00:00:0a', '00:1b:c5:00:00:0a', undefined, undefined, undefined]);
    expect(['urn:uuid:AB', 'uuid:ab', '{AB}', ' ab '].map(normaliseReference)).toEqual([
      'ab',
      'ab',
      'ab',
      'ab',
    ]);
  });
});
