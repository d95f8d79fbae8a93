import { createHash, randomBytes } from 'node:crypto';

export interface AuthRequest {
  method: string;
  /** As it stands in the request line. */
  uri: string;
  username: string;
  password: string;
  /** How often this nonce was used, from 1. */
  nc: number;
}

const HASHES: Readonly<Record<string, string>> = { MD5: 'md5', 'SHA-256': 'sha256' };

/**
 * The `Authorization` value that answers one or more `WWW-Authenticate` values; Digest SHA-256 before MD5 before Basic.
 * Undefined where none of them is understood. Source: RFC 7616 (Digest), RFC 7617 (Basic), RFC 2326 D.
 */
export function authorizationFor(challenges: readonly string[], request: AuthRequest): string | undefined {
  const digests = challenges
    .filter((challenge) => /^digest\s/i.test(challenge))
    .map(readParameters)
    .filter((parameters) => algorithmOf(parameters).replace(/-SESS$/, '') in HASHES);
  const digest = digests.find((each) => algorithmOf(each).startsWith('SHA-256')) ?? digests[0];
  if (digest) return digestAnswer(digest, algorithmOf(digest), request);
  if (challenges.some((challenge) => /^basic\b/i.test(challenge))) {
    return `Basic ${Buffer.from(`${request.username}:${request.password}`).toString('base64')}`;
  }
  return undefined;
}

const algorithmOf = (parameters: Record<string, string>) => (parameters.algorithm ?? 'MD5').toUpperCase();

function digestAnswer(parameters: Record<string, string>, algorithm: string, request: AuthRequest): string {
  const { realm = '', nonce = '', opaque } = parameters;
  const hash = (text: string) =>
    createHash(HASHES[algorithm.replace(/-SESS$/, '')] ?? 'md5')
      .update(text)
      .digest('hex');
  const cnonce = randomBytes(8).toString('hex');
  const nc = request.nc.toString(16).padStart(8, '0');
  const hasQop = (parameters.qop ?? '').split(/[\s,]+/).includes('auth');
  const plain = hash(`${request.username}:${realm}:${request.password}`);
  const secret = algorithm.endsWith('-SESS') ? hash(`${plain}:${nonce}:${cnonce}`) : plain;
  const subject = hash(`${request.method}:${request.uri}`);
  const response = hash(
    hasQop ? `${secret}:${nonce}:${nc}:${cnonce}:auth:${subject}` : `${secret}:${nonce}:${subject}`,
  );
  const quoted = { username: request.username, realm, nonce, uri: request.uri, response };
  const parts = Object.entries(quoted).map(([name, value]) => `${name}="${value.replace(/[\\"]/g, '\\$&')}"`);
  if (opaque !== undefined) parts.push(`opaque="${opaque}"`);
  if (parameters.algorithm !== undefined) parts.push(`algorithm=${parameters.algorithm}`);
  if (hasQop) parts.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`);
  return `Digest ${parts.join(', ')}`;
}

function readParameters(challenge: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [, name = '', quoted, bare] of challenge.matchAll(
    /([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi,
  )) {
    parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
  }
  return parameters;
}
