import { isInRanges, type Ipv4Range } from './cidr.ts';
import { normaliseReference } from './identity.ts';
import { findAll, find, list, parseXml, text, type XmlNode } from './xml.ts';

/** One address a device announced. Only trusted ones may ever be called. */
export interface AnnouncedAddress {
  url: string;
  isTrusted: boolean;
  /** Why not, in a sentence. */
  reason?: string;
}

/** What one ProbeMatch says. */
export interface ProbeMatch {
  /** As announced; empty if the device left it out. */
  endpointReference: string;
  types: string[];
  scopes: string[];
  xaddrs: string[];
}

/** A whole reply: whose probe it answers and every match in it (some NVRs put several into one datagram). */
export interface ProbeReply {
  relatesTo: string | undefined;
  matches: ProbeMatch[];
}

/** A device's reply is 1 to 4 kB; a UDP datagram cannot exceed 64. */
export const MAX_REPLY_BYTES = 32_768;

/**
 * Reads one datagram.
 * @throws MediaError 'protocol' | 'too-large' if it is no probe reply
 */
export function readProbeReply(datagram: Buffer): ProbeReply {
  const envelope = parseXml(datagram.toString('utf8'), { maxDepth: 16, maxElements: 2_000 });
  const body = find(envelope, 'Body');
  const matches = findAll(find(body, 'ProbeMatches'), 'ProbeMatch').slice(0, 64).map(matchOf);
  return { relatesTo: text(envelope, 'Header', 'RelatesTo'), matches };
}

/** Whether `relatesTo` is one of the message identifiers in `sent`, whatever the prefix and case the device wrote it in. */
export function isOwnProbe(relatesTo: string | undefined, sent: ReadonlySet<string>): boolean {
  return relatesTo !== undefined && sent.has(normaliseReference(relatesTo));
}

function matchOf(node: XmlNode): ProbeMatch {
  const words = (name: string): string[] =>
    list(node, name)
      .flatMap((part) => part.text.trim().split(/\s+/))
      .filter((word) => word !== '' && word.length <= 500)
      .slice(0, 100);
  return {
    endpointReference: (text(node, 'EndpointReference', 'Address') ?? '').slice(0, 200),
    types: words('Types').map((type) => type.replace(/^.*:/, '')),
    scopes: words('Scopes'),
    xaddrs: words('XAddrs').slice(0, 16),
  };
}

/**
 * What the ONVIF scopes tell: `onvif://www.onvif.org/name/ICU%20North` is the name "ICU North". Percent-encoding is UTF-8; a broken one
 * is left as it is. Several locations are joined with ", ".
 */
export function readScopes(scopes: readonly string[]): {
  name?: string;
  hardware?: string;
  location?: string;
} {
  const values = (category: string): string | undefined => {
    const found = scopes.flatMap((scope) => {
      const match = new RegExp(`^onvif://www\\.onvif\\.org/${category}/(.+)$`, 'i').exec(scope);
      return match?.[1] ? [decodeScope(match[1])] : [];
    });
    return [...new Set(found)].join(', ').slice(0, 200) || undefined;
  };
  return { name: values('name'), hardware: values('hardware'), location: values('location') };
}

function decodeScope(value: string): string {
  try {
    return decodeURIComponent(value).trim();
  } catch (error) {
    // A lone % in a name is the device's slip; the name is still better shown raw than lost.
    if (error instanceof URIError) return value;
    throw error;
  }
}

/**
 * Whether an announced address may be called with credentials: plain http or https, an IPv4 address inside the camera networks, no user
 * part. A name is refused: who answers for it is decided by whoever runs the name server.
 */
export function judgeAddress(url: string, networks: readonly Ipv4Range[]): AnnouncedAddress {
  const refuse = (reason: string): AnnouncedAddress => ({ url, isTrusted: false, reason });
  if (!URL.canParse(url)) return refuse('it is not an address');
  const { protocol, hostname, username, password } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') return refuse('it is not an HTTP address');
  if (username !== '' || password !== '') return refuse('it carries a user name');
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(hostname)) return refuse('it is not an IPv4 address');
  if (!isInRanges(hostname, networks)) return refuse('it lies outside the camera networks');
  return { url, isTrusted: true };
}
