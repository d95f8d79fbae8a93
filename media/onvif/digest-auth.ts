import { createHash, randomBytes } from 'node:crypto';

/** A challenge from `WWW-Authenticate: Digest ...`, as far as it matters for an answer. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque?: string;
  readonly algorithm: 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess';
  /** False for the RFC 2069 form, without qop, that old cameras and most RTSP servers use. */
  readonly hasQopAuth: boolean;
  /** The credentials may be right; only the nonce is too old. */
  readonly isStale: boolean;
}

/** What the answer is computed over. `nc` counts the requests sent with this nonce, from 1. */
export interface DigestRequest {
  method: string;
  uri: string;
  username: string;
  password: string;
  nc: number;
  /** Only tests fix it. */
  cnonce?: string;
}

/**
 * The Digest challenge in one or several `WWW-Authenticate` headers, the strongest algorithm first; undefined if none can be answered
 * (no Digest, an unknown algorithm, only auth-int).
 * Source: RFC 7616 section 3.3.
 */
export function parseDigestChallenge(
  headers: string | readonly string[] | undefined,
): DigestChallenge | undefined {
  const found = splitChallenges(headers)
    .filter((challenge) => challenge.scheme === 'digest')
    .map((challenge) => toDigest(challenge.parameters))
    .filter((challenge) => challenge !== undefined);
  return found.find((challenge) => challenge.algorithm.startsWith('SHA-256')) ?? found[0];
}

/** Whether the peer offers Basic, the scheme that sends the password readably. */
export function offersBasic(headers: string | readonly string[] | undefined): boolean {
  return splitChallenges(headers).some((challenge) => challenge.scheme === 'basic');
}

/**
 * The `Authorization` value that answers `challenge` (a parsed one, or the header text) for one request; HTTP and RTSP alike.
 * @returns undefined if the header text holds no Digest challenge that can be answered
 * Source: RFC 7616 section 3.4, RFC 2069 for challenges without qop; RFC 2326 section 14 for RTSP, where `uri` is the request URI.
 */
export function authorizationFor(
  challenge: DigestChallenge | string | readonly string[],
  request: DigestRequest,
): string | undefined {
  const parsed = isParsed(challenge) ? challenge : parseDigestChallenge(challenge);
  return parsed && answer(parsed, request);
}

function isParsed(challenge: DigestChallenge | string | readonly string[]): challenge is DigestChallenge {
  return typeof challenge === 'object' && 'nonce' in challenge;
}

function answer(challenge: DigestChallenge, request: DigestRequest): string {
  const algorithm = challenge.algorithm.startsWith('SHA-256') ? 'sha256' : 'md5';
  const hash = (input: string): string => createHash(algorithm).update(input, 'utf8').digest('hex');
  const cnonce = request.cnonce ?? randomBytes(12).toString('hex');
  const nc = request.nc.toString(16).padStart(8, '0');
  const isSession = challenge.algorithm.endsWith('-sess');
  const secret = hash(`${request.username}:${challenge.realm}:${request.password}`);
  const ha1 = isSession ? hash(`${secret}:${challenge.nonce}:${cnonce}`) : secret;
  const ha2 = hash(`${request.method}:${request.uri}`);
  const response = challenge.hasQopAuth
    ? hash(`${ha1}:${challenge.nonce}:${nc}:${cnonce}:auth:${ha2}`)
    : hash(`${ha1}:${challenge.nonce}:${ha2}`);
  const parts = [
    `username="${quote(request.username)}"`,
    `realm="${quote(challenge.realm)}"`,
    `nonce="${quote(challenge.nonce)}"`,
    `uri="${quote(request.uri)}"`,
    `response="${response}"`,
    // Old RTSP servers that never named an algorithm refuse an answer that does.
    ...(challenge.hasQopAuth || challenge.algorithm !== 'MD5' ? [`algorithm=${challenge.algorithm}`] : []),
    ...(challenge.opaque === undefined ? [] : [`opaque="${quote(challenge.opaque)}"`]),
    ...(challenge.hasQopAuth ? ['qop=auth', `nc=${nc}`] : []),
    ...(challenge.hasQopAuth || isSession ? [`cnonce="${cnonce}"`] : []),
  ];
  return `Digest ${parts.join(', ')}`;
}

/** A quoted-string of a header: quotes and backslashes escaped, and nothing that could start a new header line. */
const quote = (value: string): string => value.replace(/[\r\n\0]/g, '').replace(/["\\]/g, '\\$&');

interface Challenge {
  scheme: string;
  parameters: Map<string, string>;
}

/** Splits header values into challenges: one line may hold several, and parameters are comma-separated as well. */
function splitChallenges(headers: string | readonly string[] | undefined): Challenge[] {
  const challenges: Challenge[] = [];
  const token =
    /(?:^|[\s,])([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|(?:^|,\s*|\s)(Digest|Basic|Bearer|Negotiate|NTLM)(?=\s|,|$)/gi;
  for (const header of typeof headers === 'string' ? [headers] : (headers ?? [])) {
    let current: Challenge | undefined;
    for (const [, name, quoted, plain, scheme] of header.slice(0, 4096).matchAll(token)) {
      if (scheme) challenges.push((current = { scheme: scheme.toLowerCase(), parameters: new Map() }));
      else if (name)
        current?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
    }
  }
  return challenges;
}

const ALGORITHMS = ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess'] as const;

function toDigest(parameters: Map<string, string>): DigestChallenge | undefined {
  const nonce = parameters.get('nonce');
  const named = parameters.get('algorithm') ?? 'MD5';
  const algorithm = ALGORITHMS.find((known) => known.toLowerCase() === named.toLowerCase());
  const qop = parameters
    .get('qop')
    ?.toLowerCase()
    .split(/[\s,]+/);
  if (!nonce || !algorithm || (qop && !qop.includes('auth'))) return undefined;
  return {
    realm: parameters.get('realm') ?? '',
    nonce,
    algorithm,
    hasQopAuth: qop !== undefined,
    isStale: parameters.get('stale')?.toLowerCase() === 'true',
    opaque: parameters.get('opaque'),
  };
}
