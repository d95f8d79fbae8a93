import { XMLParser } from 'fast-xml-parser';
import { MediaError } from '#media/errors.ts';

/** One element: local name without prefix, attributes by local name, child elements in order, own text (CDATA included). */
export interface XmlNode {
  readonly name: string;
  /** Namespace URI; undefined if the prefix was never declared, which some devices forget. */
  readonly namespace: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  readonly text: string;
}

/** A real answer nests about 12 deep; a 128-channel NVR's GetProfiles has about 20,000 elements. */
const MAX_DEPTH = 48;
const MAX_ELEMENTS = 60_000;

/**
 * Reads untrusted XML into a plain tree. Text stays text (a firmware "1.10" is not a number), only the five predefined and
 * the numeric entities are decoded, element names such as `__proto__` are ordinary names here because no object is keyed by them.
 * @param limits tighter bounds for small documents (discovery datagrams)
 * @throws MediaError 'too-large' (depth or element count), 'protocol' (not XML, cut short, or with a DOCTYPE)
 */
export function parseXml(xml: string, limits: { maxDepth?: number; maxElements?: number } = {}): XmlNode {
  checkShape(xml, limits);
  let parsed: unknown;
  try {
    parsed = parser.parse(xml);
  } catch (error) {
    throw new MediaError(
      'protocol',
      `the answer is not readable XML: ${(error as Error).message}`,
      {},
      { cause: error },
    );
  }
  const root = (parsed as RawNode[]).map((raw) => toNode(raw, new Map())).find((node) => node !== undefined);
  if (!root) throw new MediaError('protocol', 'the answer holds no XML element');
  return root;
}

/** Makes `text` safe inside XML text and double-quoted attributes. Characters XML 1.0 cannot hold at all are dropped. */
export function escapeXml(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex -- exactly the characters XML 1.0 section 2.2 forbids
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '')
      .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  );
}

/** The first element reached by following `path` of local names from `node`, or undefined. */
export function find(node: XmlNode | undefined, ...path: string[]): XmlNode | undefined {
  let current = node;
  for (const name of path) current = current?.children.find((child) => child.name === name);
  return current;
}

/** All children of `node` named `name`, in order; empty if there are none. */
export function list(node: XmlNode | undefined, name: string): XmlNode[] {
  return node?.children.filter((child) => child.name === name) ?? [];
}

/** All descendants of `node` named `name`, in document order. */
export function findAll(node: XmlNode | undefined, name: string): XmlNode[] {
  return (
    node?.children.flatMap((child) => [...(child.name === name ? [child] : []), ...findAll(child, name)]) ??
    []
  );
}

/** Text at `path` without outer white space; undefined if the element is missing or empty. */
export function text(node: XmlNode | undefined, ...path: string[]): string | undefined {
  return find(node, ...path)?.text.trim() || undefined;
}

/** Finite number at `path`; undefined if missing or not a number. Unknown is never 0. */
export function number(node: XmlNode | undefined, ...path: string[]): number | undefined {
  const value = text(node, ...path);
  return value !== undefined && /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : undefined;
}

/** Attribute of `node` by local name; undefined if missing or empty. */
export function attribute(node: XmlNode | undefined, name: string): string | undefined {
  return node?.attributes.get(name)?.trim() || undefined;
}

type RawNode = Record<string, unknown>;

/** No XML name starts with this, so no parsed name equals a property that JavaScript treats specially. */
const MARK = '~';
const mark = (name: string): string => (name.startsWith(MARK) ? name : MARK + name);

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  trimValues: false,
  cdataPropName: '#cdata',
  ignoreDeclaration: true,
  ignorePiTags: true,
  transformTagName: mark,
  transformAttributeName: mark,
});

function toNode(raw: RawNode, outer: ReadonlyMap<string, string>): XmlNode | undefined {
  const key = Object.keys(raw).find((name) => name.startsWith(MARK));
  if (key === undefined) return undefined;
  const attributes = new Map<string, string>();
  const declared = new Map<string, string>();
  for (const [marked, value] of Object.entries((raw[':@'] as Record<string, string> | undefined) ?? {})) {
    const [prefix, name] = splitName(marked.slice(MARK.length));
    if (prefix === 'xmlns') declared.set(name, decode(value));
    else if (prefix === '' && name === 'xmlns') declared.set('', decode(value));
    else attributes.set(name, decode(value));
  }
  const scope = declared.size > 0 ? new Map([...outer, ...declared]) : outer;
  const children: XmlNode[] = [];
  let ownText = '';
  for (const part of raw[key] as RawNode[]) {
    if (typeof part['#text'] === 'string') ownText += decode(part['#text']);
    else if (Array.isArray(part['#cdata']))
      ownText += String((part['#cdata'] as RawNode[])[0]?.['#text'] ?? '');
    else {
      const child = toNode(part, scope);
      if (child) children.push(child);
    }
  }
  const [prefix, name] = splitName(key.slice(MARK.length));
  return { name, namespace: scope.get(prefix), attributes, children, text: ownText };
}

function splitName(qualified: string): [prefix: string, local: string] {
  const colon = qualified.indexOf(':');
  return colon === -1 ? ['', qualified] : [qualified.slice(0, colon), qualified.slice(colon + 1)];
}

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decode(value: string): string {
  return value.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (whole, decimal, hex, name) => {
      if (name) return PREDEFINED.get(name) ?? whole;
      const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/**
 * Throws as parseXml does, and does nothing else. It counts elements and depth in one pass before the parser builds anything, so that a hostile document costs one scan and no memory.
 * It also finds a document that was cut short, which the parser would accept.
 */
export function checkShape(
  xml: string,
  { maxDepth = MAX_DEPTH, maxElements = MAX_ELEMENTS }: { maxDepth?: number; maxElements?: number } = {},
): void {
  let depth = 0;
  let elements = 0;
  for (let at = xml.indexOf('<'); at !== -1; at = xml.indexOf('<', at)) {
    const [closer, step] = shapeOf(xml, at);
    const end = xml.indexOf(closer, at);
    if (end === -1) throw new MediaError('protocol', 'the answer is cut short inside a tag');
    at = end + closer.length;
    if (step === 0) continue;
    if (step === 1) {
      elements += 1;
      if (xml[end - 1] !== '/') depth += 1;
    } else depth -= 1;
    if (depth > maxDepth)
      throw new MediaError('too-large', `the answer nests deeper than ${maxDepth} elements`, { maxDepth });
    if (elements > maxElements)
      throw new MediaError('too-large', `the answer holds more than ${maxElements} elements`, {
        maxElements,
      });
  }
  if (elements === 0) throw new MediaError('protocol', 'the answer is not XML');
  if (depth !== 0) throw new MediaError('protocol', 'the answer is cut short: elements are left open');
}

/** What ends the markup at `at`, and how it changes the depth: 1 opens, -1 closes, 0 neither. */
function shapeOf(xml: string, at: number): [closer: string, step: -1 | 0 | 1] {
  if (xml.startsWith('<!--', at)) return ['-->', 0];
  if (xml.startsWith('<![CDATA[', at)) return [']]>', 0];
  // Entity definitions are how a few bytes become gigabytes, and no ONVIF answer has a reason to carry any.
  if (xml.startsWith('<!', at)) throw new MediaError('protocol', 'the answer carries a DOCTYPE');
  if (xml.startsWith('<?', at)) return ['?>', 0];
  return ['>', xml[at + 1] === '/' ? -1 : 1];
}
