import { expect, it } from 'vitest';
import { endpointOf, isInNetworks, parseTypedAddress, usualPorts } from './device-address.ts';

it('reads addresses as people type them', () => {
  expect(parseTypedAddress(' 10.1.2.3 ')).toEqual({ kind: 'ports', host: '10.1.2.3', ports: usualPorts });
  expect(parseTypedAddress('10.1.2.3:8000')).toEqual({ kind: 'ports', host: '10.1.2.3', ports: [8000] });
  const url = (host: string, xaddr: string) => ({ kind: 'url', host, xaddr });
  expect(parseTypedAddress('http://10.1.2.3')).toEqual(
    url('10.1.2.3', 'http://10.1.2.3/onvif/device_service'),
  );
  expect(parseTypedAddress('HTTPS://10.1.2.3:8443/x?y=1#z')).toEqual(
    url('10.1.2.3', 'https://10.1.2.3:8443/x?y=1'),
  );
});

it('refuses names, users, odd numbers and other schemes', () => {
  for (const text of [
    '',
    'camera',
    'http://camera/',
    'http://u@10.1.2.3/',
    'http://u:p@10.1.2.3/',
    '10.1.2',
    '10.1.2.3:0',
    '10.1.2.3:1:2',
    '10.1.2.3:8e3',
    '::1',
    'rtsp://10.1.2.3/',
  ])
    expect(parseTypedAddress(text), text).toBeUndefined();
});

it('compares services by host and port, and networks by address', () => {
  expect(endpointOf('http://10.1.2.3/a')).toBe(endpointOf('http://10.1.2.3:80/b'));
  expect(endpointOf('https://10.1.2.3/a')).toBe('10.1.2.3:443');
  expect(isInNetworks('10.1.2.3', ['192.168.0.0/16', '10.1.0.0/16'])).toBe(true);
  expect(isInNetworks('10.2.2.3', ['10.1.0.0/16'])).toBe(false);
  expect(isInNetworks('camera.local', ['0.0.0.0/0'])).toBe(false);
  expect(isInNetworks('', [])).toBe(false);
});
