import { isInRanges, parseIpv4, type Ipv4Range } from './cidr.ts';

/** An address to call. `replaced` tells the host that the device named and the one that stands instead. */
export interface CorrectedAddress {
  uri: string;
  replaced?: { announced: string; used: string };
}

/**
 * An address a device gave us, made callable and safe. Cameras announce 0.0.0.0, a factory address, or the inside of a NAT; a hostile
 * one announces somebody else. The rule: the host must be the one we reached the device at, or lie in the trusted networks; otherwise
 * it is replaced by the host we reached, which the answer says. User names in the address are dropped.
 * For http(s) a replaced host takes our port too (port forwarding moves it), and https is never lowered to http. An RTSP port is kept.
 * @returns undefined if `uri` is no URL of the `kind` asked for
 */
export function correctHost(
  uri: string,
  reachedAt: string,
  kind: 'http' | 'rtsp',
  trusted: readonly Ipv4Range[],
): CorrectedAddress | undefined {
  const allowed = kind === 'http' ? ['http:', 'https:'] : ['rtsp:', 'rtsps:'];
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  if (!allowed.includes(url.protocol) || url.hostname === '') return undefined;
  const base = new URL(reachedAt);
  url.username = '';
  url.password = '';
  const isSameHost = url.hostname === base.hostname;
  const isDowngrade = kind === 'http' && base.protocol === 'https:' && url.protocol === 'http:';
  if (!isDowngrade && (isSameHost || isTrustedHost(url.hostname, trusted))) return { uri: url.href };
  const announced = url.host;
  if (kind === 'http')
    return { uri: base.origin + url.pathname + url.search, replaced: { announced, used: base.host } };
  url.hostname = base.hostname;
  return { uri: url.href, replaced: { announced, used: url.host } };
}

/** A routable unicast IPv4 address inside the trusted networks. */
function isTrustedHost(hostname: string, trusted: readonly Ipv4Range[]): boolean {
  const value = parseIpv4(hostname);
  return value !== undefined && value >>> 24 !== 0 && value >>> 28 !== 14 && isInRanges(hostname, trusted);
}
