import { MediaError, type MediaErrorCode } from '#media/errors.ts';
import { offersBasic, parseDigestChallenge } from './digest-auth.ts';
import type { HttpAnswer } from './http.ts';
import { find, findAll, parseXml, text, type XmlNode } from './xml.ts';

/**
 * The response element (`GetProfilesResponse`, ...) of a SOAP answer.
 * A fault is a fault at any HTTP status: several cameras send it with 200.
 * @param operation local name of the request element; undefined accepts any response element
 * @throws MediaError 'unauthorized' | 'locked' | 'not-supported' | 'rejected' with the device's reason; 'protocol' | 'too-large' when it
 * is not the SOAP answer asked for (`details.isHtml` tells a web page)
 */
export function readSoapAnswer(
  answer: Pick<HttpAnswer, 'status' | 'headers' | 'body'>,
  operation?: string,
): XmlNode {
  const body = decodeBody(answer);
  const isXml = body.trimStart().startsWith('<') && !/^\s*<(!doctype\s+html|html)[\s>]/i.test(body);
  if (!isXml) throw withoutXml(answer, body);
  let envelope: XmlNode;
  try {
    envelope = parseXml(body);
  } catch (error) {
    // The status alone still says why when an error page is not well-formed.
    if (answer.status >= 400) throw withoutXml(answer, body);
    throw error;
  }
  const soapBody = envelope.name === 'Envelope' ? find(envelope, 'Body') : undefined;
  const fault = find(soapBody, 'Fault');
  if (fault) throw faultToError(fault, answer.status, body);
  if (answer.status >= 400) throw withoutXml(answer, body);
  if (!soapBody)
    throw new MediaError('protocol', 'the answer is XML but not SOAP', { status: answer.status });
  const response = operation === undefined ? soapBody.children[0] : find(soapBody, `${operation}Response`);
  if (!response) {
    const got = soapBody.children[0]?.name ?? 'nothing';
    throw new MediaError(
      'protocol',
      `asked for ${operation ?? 'a response'}, the device answered ${got.slice(0, 80)}`,
      {
        status: answer.status,
      },
    );
  }
  return response;
}

const LOCKED = /\block(ed|out)?\b|too many|attempts? exceed|blocked|try again later/i;
const UNAUTHORIZED_TEXT =
  /not ?authori[sz]ed|unauthori[sz]ed|authori[sz]ation|authentication|authority failure|invalid (user|password|credential)/i;

/** SOAP subcodes by what they mean for the caller. Source: ONVIF Core specification 5.8.2.2 and WS-Security 1.1 section 12. */
const SUBCODES: readonly [pattern: RegExp, code: MediaErrorCode][] = [
  [
    /^(NotAuthorized|SenderNotAuthorized|FailedAuthentication|FailedCheck|InvalidSecurity|InvalidSecurityToken|SecurityTokenUnavailable|MessageExpired)$/i,
    'unauthorized',
  ],
  [
    /^(ActionNotSupported|OptionalActionNotImplemented|NotSupported|NoSuchService|FilterNotSupported|ServiceNotSupported|NotImplemented)$/i,
    'not-supported',
  ],
];

function faultToError(fault: XmlNode, status: number, body: string): MediaError {
  const reason = faultReason(fault);
  const subcodes = [...findAll(find(fault, 'Code'), 'Value'), ...findAll(fault, 'faultcode')]
    .map((value) => value.text.trim().replace(/^.*:/, ''))
    .slice(0, 5);
  const details = { status, reason, subcodes };
  const says = reason
    ? `the device says: ${reason}`
    : `the device refused (${subcodes.join(', ') || 'no reason given'})`;
  const named = SUBCODES.find(([pattern]) => subcodes.some((subcode) => pattern.test(subcode)))?.[1];
  const isAboutLogin =
    named === 'unauthorized' || status === 401 || status === 403 || UNAUTHORIZED_TEXT.test(reason);
  if (
    status === 423 ||
    status === 429 ||
    LOCKED.test(isAboutLogin ? body.replace(/<[^>]*>/g, ' ').slice(0, 20_000) : reason)
  ) {
    return new MediaError('locked', says, details);
  }
  if (named) return new MediaError(named, says, details);
  if (isAboutLogin) return new MediaError('unauthorized', says, details);
  return new MediaError('rejected', says, details);
}

/** The English reason where several languages are given, else the first; SOAP 1.1's faultstring as well. At most 300 characters. */
function faultReason(fault: XmlNode): string {
  const texts = find(fault, 'Reason')?.children.filter((child) => child.name === 'Text') ?? [];
  const chosen =
    texts.find((node) => /^en\b/i.test(node.attributes.get('lang') ?? '') && node.text.trim()) ??
    texts.find((node) => node.text.trim());
  return (chosen?.text ?? text(fault, 'faultstring') ?? text(fault, 'Reason') ?? '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}

function withoutXml({ status, headers }: Pick<HttpAnswer, 'status' | 'headers'>, body: string): MediaError {
  const isHtml = /<(html|body|head|title|!doctype html)[\s>]/i.test(body.slice(0, 2000));
  const words = body.replace(/<[^>]*>/g, ' ').slice(0, 4000);
  const details = { status, isHtml };
  if (status === 423 || status === 429 || ((status === 401 || status === 403) && LOCKED.test(words))) {
    return new MediaError('locked', `the device refuses log-ins for now (HTTP ${status})`, details);
  }
  if (status === 401 || status === 403)
    return new MediaError('unauthorized', `the device refused access (HTTP ${status})`, details);
  if (status === 404 || status === 405 || status === 501) {
    return new MediaError(
      'not-supported',
      `the device has no such service at this address (HTTP ${status})`,
      details,
    );
  }
  if (status >= 300 && status < 400) {
    const location = typeof headers.location === 'string' ? headers.location.slice(0, 200) : undefined;
    return new MediaError(
      'protocol',
      `the device redirects elsewhere (HTTP ${status}), which is not followed`,
      { ...details, location },
    );
  }
  if (body.trim() === '')
    return new MediaError('protocol', `the device sent an empty answer (HTTP ${status})`, details);
  return new MediaError(
    'protocol',
    isHtml ? 'the device answered with a web page' : 'the device answered something that is not XML',
    details,
  );
}

/** The Digest challenge of an answer, if any; whether Basic is the only scheme it offers. */
export function readChallenges(answer: Pick<HttpAnswer, 'headers'>) {
  // Node joins repeated WWW-Authenticate headers with commas, which the challenge reader takes apart again.
  const header = answer.headers['www-authenticate'];
  const digest = parseDigestChallenge(header);
  return { digest, isBasicOnly: !digest && offersBasic(header) };
}

/** Text of an answer in the charset it names; Chinese devices still send GB2312 and GBK. Wrong bytes become U+FFFD. */
function decodeBody({ headers, body }: Pick<HttpAnswer, 'headers' | 'body'>): string {
  const declared =
    /encoding\s*=\s*["']([\w-]+)["']/i.exec(body.subarray(0, 200).toString('latin1'))?.[1] ??
    /charset\s*=\s*"?([\w-]+)/i.exec(headers['content-type'] ?? '')?.[1] ??
    'utf-8';
  return new TextDecoder(/^(gb2312|gbk|gb18030)$/i.test(declared) ? 'gb18030' : 'utf-8').decode(body);
}
