import { isIPv4 } from 'node:net';
import { isInRanges, parseRange } from '#media/onvif/cidr.ts';

/** Where a typed device is: a full address, or one that still has to be looked for at `ports`. */
export type TypedAddress =
  | { readonly kind: 'url'; readonly host: string; readonly xaddr: string }
  | { readonly kind: 'ports'; readonly host: string; readonly ports: readonly number[] };

/** Where ONVIF services answer out of the box: most cameras, then other web ports, Xiongmai's, TLS. */
export const usualPorts: readonly number[] = [80, 8080, 8000, 8899, 443];

/**
 * Reads what a person typed: `10.1.2.3`, `10.1.2.3:8000`, or a device service's `http(s)://` address (its usual path is put in when left
 * out). Only IPv4: a name could later lead somewhere else.
 * @returns undefined for anything else, also for an address with a user name in it
 */
export function parseTypedAddress(text: string): TypedAddress | undefined {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed)) {
    const url = URL.canParse(trimmed) ? new URL(trimmed) : undefined;
    if (!url || !isIPv4(url.hostname) || url.username !== '' || url.password !== '') return undefined;
    if (url.pathname === '/' && url.search === '') url.pathname = '/onvif/device_service';
    url.hash = '';
    return { kind: 'url', host: url.hostname, xaddr: url.href };
  }
  const [host = '', portText, ...rest] = trimmed.split(':');
  if (!isIPv4(host) || rest.length > 0) return undefined;
  if (portText === undefined) return { kind: 'ports', host, ports: usualPorts };
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65_535) return undefined;
  return { kind: 'ports', host, ports: [port] };
}

/** Host of a device service's address; empty for text that is no URL. */
export function hostOf(xaddr: string): string {
  return URL.canParse(xaddr) ? new URL(xaddr).hostname : '';
}

/** `host:port` of an address, its scheme's port where none is written. */
export function endpointOf(xaddr: string): string {
  if (!URL.canParse(xaddr)) return xaddr;
  const { hostname, port, protocol } = new URL(xaddr);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

/** Whether an address may be contacted: an IPv4 host inside one of the camera networks (CIDR). */
export function isInNetworks(host: string, networks: readonly string[]): boolean {
  return isInRanges(host, networks.map(parseRange));
}
