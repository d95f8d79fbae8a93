import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { NS } from '../soap.ts';
import { child, escapeXml, parseXml, textAt, type Node } from '../xml.ts';

/** How a test proves who it is. */
export interface Login {
  user: string;
  password: string;
  /** `wsse` sends a UsernameToken at once, `digest` waits for the HTTP challenge. */
  kind?: 'wsse' | 'digest';
  /** Created of the token; default now. */
  createdAt?: number;
  nonce?: Buffer;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** An answer's status, its text, and the one element in its SOAP body (undefined when there is none). */
export interface SoapAnswer {
  status: number;
  text: string;
  element: Node | undefined;
  /** Fault subcode and reason, when it is a fault. */
  fault: { subcode: string; reason: string } | undefined;
}

/** One HTTP request. @throws Error on refused connections, TLS failures and after `timeoutMs` (default 8 s). */
export function http(
  url: string,
  options: {
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    ca?: string;
    timeoutMs?: number;
  } = {},
): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body, ca, timeoutMs = 8_000 } = options;
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(url, { method, headers, ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.setTimeout(timeoutMs, () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end(body);
  });
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** The Authorization header for a Digest challenge with qop auth. */
export function digestHeader(challenge: string, method: string, uri: string, login: Login): string {
  const field = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1]!, m[2]!]));
  const { realm = '', nonce = '' } = field;
  const cnonce = randomBytes(8).toString('hex');
  const ha1 = md5(`${login.user}:${realm}:${login.password}`);
  const response = md5(`${ha1}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
  return `Digest username="${login.user.replace(/["\\]/g, '\\$&')}", realm="${realm}", nonce="${nonce}", uri="${uri}", qop=auth, nc=00000001, cnonce="${cnonce}", response="${response}"`;
}

function token(login: Login): string {
  const nonce = login.nonce ?? randomBytes(16);
  const created = new Date(login.createdAt ?? Date.now()).toISOString();
  const digest = createHash('sha1')
    .update(Buffer.concat([nonce, Buffer.from(created + login.password)]))
    .digest('base64');
  const wsse = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';
  return `<s:Header><w:Security xmlns:w="${wsse}-wssecurity-secext-1.0.xsd" xmlns:u="${wsse}-wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>${escapeXml(login.user)}</w:Username><w:Password Type="${wsse}-username-token-profile-1.0#PasswordDigest">${digest}</w:Password><w:Nonce>${nonce.toString('base64')}</w:Nonce><u:Created>${created}</u:Created></w:UsernameToken></w:Security></s:Header>`;
}

/**
 * Calls an operation. `body` is the operation's element with one of the prefixes of `NS`. Independent of the product's
 * client on purpose.
 */
export async function soap(
  url: string,
  body: string,
  login?: Login,
  options: { ca?: string; timeoutMs?: number } = {},
): Promise<SoapAnswer> {
  const names = Object.entries(NS).map(([prefix, uri]) => `xmlns:${prefix}="${uri}"`);
  const header = login && login.kind !== 'digest' ? token(login) : '';
  const text = `<?xml version="1.0"?><s:Envelope xmlns:s="${NS.env}" ${names.join(' ')}>${header}<s:Body>${body}</s:Body></s:Envelope>`;
  const post = (extra: Record<string, string> = {}): Promise<HttpAnswer> =>
    http(url, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/soap+xml', ...extra },
      ...options,
    });
  let answer = await post();
  const challenge = answer.headers['www-authenticate'];
  if (answer.status === 401 && login?.kind === 'digest' && typeof challenge === 'string') {
    answer = await post({ authorization: digestHeader(challenge, 'POST', new URL(url).pathname, login) });
  }
  return read(answer);
}

function read({ status, body }: HttpAnswer): SoapAnswer {
  const text = body.toString('utf8');
  let soapBody: Node | undefined;
  try {
    soapBody = child(child(parseXml(text), 'Envelope'), 'Body');
  } catch {
    return { status, text, element: undefined, fault: undefined }; // no XML: tests of garbage look at `text`
  }
  const fault = child(soapBody, 'Fault');
  const subcodes = [...text.matchAll(/<env:Value>([^<]*)<\/env:Value>/g)].map((m) => m[1]!);
  return {
    status,
    text,
    element: soapBody,
    fault: fault && { subcode: subcodes.at(-1) ?? '', reason: textAt(fault, 'Reason', 'Text') ?? '' },
  };
}
