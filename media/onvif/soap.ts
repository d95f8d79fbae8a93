import { createHash, randomBytes } from 'node:crypto';
import { isMediaError, MediaError } from '#media/errors.ts';
import { authorizationFor, type DigestChallenge } from './digest-auth.ts';
import { readChallenges, readSoapAnswer } from './faults.ts';
import { exchange, type HttpAnswer } from './http.ts';
import { escapeXml, type XmlNode } from './xml.ts';

/** User name and password of one device account. Never logged, never part of an error. */
export interface Credentials {
  username: string;
  password: string;
}

/** How the device wants to be asked: 'none' until it refuses a request without credentials. */
export type AuthMode = 'none' | 'ws-token' | 'http-digest';

/** One request. `body` is the inside of `s:Body`, with every value already through escapeXml and its namespaces declared. */
export interface SoapCall {
  xaddr: string;
  /** Local name of the request element; the answer must be `<operation>Response`. */
  operation: string;
  body: string;
  /** SOAP action where it is not `<namespace>/<operation>`; events need the full one. */
  action: string;
  /** Extra header elements (WS-Addressing for pull points). */
  header?: string;
  /** Never send credentials with this one: the clock must be known before a token can be made. */
  isAnonymous?: boolean;
  deadlineMs?: number;
  signal?: AbortSignal;
}

/**
 * How many refused log-ins a device may still see from us; shared by everything that talks to it, because cameras lock an account after
 * three to five. It is filled up again only by proof that the password is right.
 */
export interface RefusalBudget {
  left: number;
  readonly max: number;
}

export interface SoapOptions {
  credentials?: Credentials;
  tlsFingerprint?: string;
  /** Per request, connect to last byte. Default 8000. */
  deadlineMs?: number;
  /** Default 2 MB. */
  maxBytes?: number;
  budget?: RefusalBudget;
  signal?: AbortSignal;
}

export interface SoapClient {
  /**
   * The response element.
   * @throws MediaError of readSoapAnswer and exchange; 'unauthorized' without a request when the refusal budget is spent
   */
  call(call: SoapCall): Promise<XmlNode>;
  /**
   * Asks without credentials to learn how the device wants to be asked: the response if it answers, undefined if it wants a log-in
   * (`mode` then says which), so that the caller can choose who sends it.
   * @throws MediaError as call, also 'unauthorized' when there are no credentials to try
   */
  probe(call: SoapCall): Promise<XmlNode | undefined>;
  /** Device clock minus ours; WS-UsernameToken times are shifted by it. */
  setSkew(skewMs: number): void;
  readonly skewMs: number;
  readonly mode: AuthMode;
  readonly credentials: Credentials | undefined;
  /** Whether the device has accepted these credentials for something it refuses without. */
  readonly isProven: boolean;
  /** Fingerprint of the certificate seen, after an https answer. */
  readonly tlsFingerprint: string | undefined;
  /** Notes how an authenticated request that somebody else sent (node-onvif-ts) ended. */
  noteOutcome(operation: string, outcome: 'accepted' | 'refused'): void;
  /** Throws 'unauthorized' if no refused log-in may be risked any more. */
  assertMayTry(): void;
}

/**
 * The one SOAP 1.2 client for everything that node-onvif-ts does not do.
 * Credentials are sent only after the device refused a request without them, in the way it asks for: HTTP Digest if it sends such a
 * challenge, else a WS-UsernameToken, and Digest after all if it challenges the token. Basic is never answered. A refused log-in is
 * never repeated with the same secret, except once when the device says that only its nonce was stale.
 */
export function createSoapClient(options: SoapOptions): SoapClient {
  const deadlineMs = options.deadlineMs ?? 8_000;
  const maxBytes = options.maxBytes ?? 2_000_000;
  const { credentials, budget } = options;
  let mode: AuthMode = 'none';
  let skewMs = 0;
  let digest: { challenge: DigestChallenge; uses: number } | undefined;
  let pin = options.tlsFingerprint;
  /** Operations that the device refused without credentials. Only their success proves a password: open ones ignore it. */
  const guarded = new Set<string>();
  let isProven = false;

  async function send(call: SoapCall, as: AuthMode): Promise<HttpAnswer> {
    const url = new URL(call.xaddr);
    const uri = url.pathname + url.search;
    const headers: Record<string, string> = {
      'content-type': `application/soap+xml; charset=utf-8; action="${call.action}"`,
    };
    if (as === 'http-digest' && digest && credentials) {
      digest.uses += 1;
      const authorization = authorizationFor(digest.challenge, {
        ...credentials,
        method: 'POST',
        uri,
        nc: digest.uses,
      });
      if (authorization) headers.authorization = authorization;
    }
    const token = as === 'ws-token' && credentials ? usernameToken(credentials, Date.now() + skewMs) : '';
    const answer = await exchange({
      url,
      method: 'POST',
      headers,
      body: envelope(call.header ?? '', token, call.body),
      deadlineMs: call.deadlineMs ?? deadlineMs,
      maxBytes,
      tlsFingerprint: pin,
      signal: anySignal(call.signal, options.signal),
    });
    // The first certificate seen is the one for the rest of this conversation.
    pin ??= answer.tlsFingerprint;
    return answer;
  }

  /** One authenticated request in the mode in force, with at most one repeat for a fresh nonce. */
  async function sendWithCredentials(call: SoapCall): Promise<HttpAnswer> {
    assertMayTry();
    const isFreshNonce = mode === 'http-digest' && digest?.uses === 0;
    const answer = await send(call, mode);
    if (mode !== 'http-digest' || answer.status !== 401) return answer;
    const next = readChallenges(answer).digest;
    if (!next || (isFreshNonce && !next.isStale)) return answer;
    digest = { challenge: next, uses: 0 };
    return send(call, mode);
  }

  function assertMayTry(): void {
    if (budget && budget.left <= 0) {
      throw new MediaError(
        'unauthorized',
        'not asked again: the device has refused our log-in as often as we allow',
        { isBudgetSpent: true },
      );
    }
  }

  function noteOutcome(operation: string, outcome: 'accepted' | 'refused'): void {
    if (outcome === 'refused') {
      if (budget) budget.left -= 1;
    } else if (guarded.has(operation)) {
      isProven = true;
      if (budget) budget.left = budget.max;
    }
  }

  /** Reads an answer; for a refusal says whether another mode is worth a request. */
  function read(
    answer: HttpAnswer,
    call: SoapCall,
  ): { node: XmlNode } | { refusal: MediaError; next: AuthMode | undefined } {
    try {
      return { node: readSoapAnswer(answer, call.operation) };
    } catch (error) {
      if (!isMediaError(error, 'unauthorized')) throw error;
      const { digest: challenge, isBasicOnly } = readChallenges(answer);
      if (challenge) digest = { challenge, uses: 0 };
      if (isBasicOnly && answer.status === 401) {
        const basic = new MediaError(
          'not-supported',
          'the device offers only Basic log-in, which would send the password readably',
          {
            isBasicOnly: true,
          },
        );
        return { refusal: basic, next: undefined };
      }
      return { refusal: error, next: challenge ? 'http-digest' : 'ws-token' };
    }
  }

  async function probe(request: SoapCall): Promise<XmlNode | undefined> {
    const first = read(await send(request, 'none'), request);
    if ('node' in first) return first.node;
    guarded.add(request.operation);
    if (request.isAnonymous || !credentials || !first.next) throw first.refusal;
    mode = first.next;
    return undefined;
  }

  async function call(request: SoapCall): Promise<XmlNode> {
    if (request.isAnonymous || !credentials || mode === 'none') {
      const open = await probe(request);
      if (open) return open;
    }
    const result = await attempt(request);
    if ('node' in result) return result.node;
    if (mode === 'http-digest' || result.next !== 'http-digest') throw result.refusal;
    mode = 'http-digest';
    const last = await attempt(request);
    if ('node' in last) return last.node;
    throw last.refusal;
  }

  async function attempt(request: SoapCall): Promise<ReturnType<typeof read>> {
    let result: ReturnType<typeof read>;
    try {
      result = read(await sendWithCredentials(request), request);
    } catch (error) {
      // A lock-out ends it for good: asking again would only prolong the lock.
      if (budget && isMediaError(error, 'locked')) budget.left = 0;
      throw error;
    }
    noteOutcome(request.operation, 'node' in result ? 'accepted' : 'refused');
    return result;
  }

  return {
    call,
    probe,
    noteOutcome,
    assertMayTry,
    setSkew: (value) => {
      skewMs = value;
    },
    credentials,
    get skewMs() {
      return skewMs;
    },
    get isProven() {
      return isProven;
    },
    get mode() {
      return mode;
    },
    get tlsFingerprint() {
      return pin;
    },
  };
}

function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length > 1 ? AbortSignal.any(given) : given[0];
}

function envelope(header: string, token: string, body: string): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">' +
    `<s:Header>${token}${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  );
}

const WSS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';

/** Source: OASIS WSS UsernameToken Profile 1.0 section 3.1: digest = base64(sha1(nonce + created + password)). */
function usernameToken({ username, password }: Credentials, createdAt: number): string {
  const nonce = randomBytes(16);
  const created = new Date(createdAt).toISOString();
  const digest = createHash('sha1').update(nonce).update(created).update(password, 'utf8').digest('base64');
  return (
    `<wsse:Security s:mustUnderstand="1" xmlns:wsse="${WSS}-wssecurity-secext-1.0.xsd" xmlns:wsu="${WSS}-wssecurity-utility-1.0.xsd">` +
    `<wsse:UsernameToken><wsse:Username>${escapeXml(username)}</wsse:Username>` +
    `<wsse:Password Type="${WSS}-username-token-profile-1.0#PasswordDigest">${digest}</wsse:Password>` +
    `<wsse:Nonce EncodingType="${WSS}-soap-message-security-1.0#Base64Binary">${nonce.toString('base64')}</wsse:Nonce>` +
    `<wsu:Created>${created}</wsu:Created></wsse:UsernameToken></wsse:Security>`
  );
}
