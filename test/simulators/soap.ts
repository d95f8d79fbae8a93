import { child, parseXml, xml, Xml, type Node } from './xml.ts';

/** The namespaces of every answer, by the prefixes ONVIF's documents use. */
export const NS = {
  env: 'http://www.w3.org/2003/05/soap-envelope',
  tt: 'http://www.onvif.org/ver10/schema',
  tds: 'http://www.onvif.org/ver10/device/wsdl',
  trt: 'http://www.onvif.org/ver10/media/wsdl',
  tr2: 'http://www.onvif.org/ver20/media/wsdl',
  tev: 'http://www.onvif.org/ver10/events/wsdl',
  tptz: 'http://www.onvif.org/ver20/ptz/wsdl',
  trc: 'http://www.onvif.org/ver10/recording/wsdl',
  tse: 'http://www.onvif.org/ver10/search/wsdl',
  trp: 'http://www.onvif.org/ver10/replay/wsdl',
  ter: 'http://www.onvif.org/ver10/error',
  tns1: 'http://www.onvif.org/ver10/topics',
  wsnt: 'http://docs.oasis-open.org/wsn/b-2',
  wsa: 'http://www.w3.org/2005/08/addressing',
  xsi: 'http://www.w3.org/2001/XMLSchema-instance',
  xs: 'http://www.w3.org/2001/XMLSchema',
} as const;

const DECLARATIONS = Object.entries(NS)
  .map(([prefix, uri]) => `xmlns:${prefix}="${uri}"`)
  .join(' ');

/** A request that could be read: the operation's namespace, name and element, and the SOAP header. */
export interface SoapRequest {
  namespace: string;
  operation: string;
  body: Node;
  header: Node | undefined;
}

/** An answer that says no. Source: SOAP 1.2 part 1 §5.4; subcodes: ONVIF Core §5.8.2. */
export class SoapFault extends Error {
  readonly code: 'Sender' | 'Receiver';
  readonly subcodes: readonly string[];

  constructor(code: 'Sender' | 'Receiver', subcodes: readonly string[], reason: string) {
    super(reason);
    this.code = code;
    this.subcodes = subcodes;
  }
}

export const notAuthorized = (reason = 'Sender not authorized'): SoapFault =>
  new SoapFault('Sender', ['ter:NotAuthorized'], reason);
export const noSuch = (subcode: string, reason: string): SoapFault =>
  new SoapFault('Sender', ['ter:InvalidArgVal', subcode], reason);

/** The namespace a prefix stands for, looked up from the innermost of `scopes` outwards. */
function namespaceOf(name: string, scopes: readonly Node[]): string | undefined {
  const prefix = name.includes(':') ? name.split(':')[0]! : '';
  const attribute = prefix ? `@_xmlns:${prefix}` : '@_xmlns';
  for (const scope of scopes) {
    const uri = scope[attribute];
    if (typeof uri === 'string') return uri;
  }
  return undefined;
}

/** @throws SoapFault when the text is no SOAP 1.2 envelope with one operation whose namespace is declared. */
export function readRequest(text: string): SoapRequest {
  let root: Node;
  try {
    root = parseXml(text);
  } catch (error) {
    throw new SoapFault('Sender', ['ter:WellFormed'], `Not well-formed: ${String(error)}`);
  }
  const envelope = child(root, 'Envelope');
  const body = child(envelope, 'Body');
  if (!envelope || !body) throw new SoapFault('Sender', ['ter:WellFormed'], 'No SOAP envelope');
  const names = Object.keys(body).filter((name) => !name.startsWith('@_') && name !== '#text');
  const name = names[0];
  if (name === undefined || names.length !== 1) {
    throw new SoapFault('Sender', ['ter:WellFormed'], 'Exactly one operation is expected');
  }
  const operation = name.split(':').at(-1)!;
  const element = child(body, operation)!;
  const namespace = namespaceOf(name, [element, body, envelope]);
  if (!namespace) throw new SoapFault('Sender', ['ter:Namespace'], `No namespace for ${name}`);
  return { namespace, operation, body: element, header: child(envelope, 'Header') };
}

export function envelope(body: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<env:Envelope ${DECLARATIONS}><env:Body>${body.text}</env:Body></env:Envelope>`;
}

/** `withLang`: as some devices do, the reason as an element with text and attribute. */
export function faultEnvelope(fault: SoapFault): string {
  const nest = (codes: readonly string[]): Xml =>
    codes.length === 0
      ? new Xml('')
      : xml`<env:Subcode><env:Value>${codes[0]!}</env:Value>${nest(codes.slice(1))}</env:Subcode>`;
  return envelope(
    xml`<env:Fault><env:Code><env:Value>env:${fault.code}</env:Value>${nest(fault.subcodes)}</env:Code><env:Reason><env:Text xml:lang="en">${fault.message}</env:Text></env:Reason></env:Fault>`,
  );
}

/** `2026-11-24T08:03:05.120Z` */
export const isoTime = (at: number): string => new Date(at).toISOString();
