import { XMLParser } from 'fast-xml-parser';

/** Text that is XML already and is not escaped again. */
export class Xml {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** No `true`: a boolean that means text must be spelled out by `String`, or `false` would vanish. */
type Value = string | number | Xml | readonly Xml[] | false | undefined | null;

function put(value: Value): string {
  if (value === undefined || value === null || value === false) return '';
  if (value instanceof Xml) return value.text;
  if (Array.isArray(value)) return value.map((v: Xml) => v.text).join('');
  return escapeXml(String(value));
}

/** Escapes the five characters that XML text and attributes may not hold bare. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Template tag: interpolated strings are escaped, `Xml` goes in as it is, `undefined`, `null` and `false` vanish. */
export function xml(strings: TemplateStringsArray, ...values: Value[]): Xml {
  return new Xml(strings.map((s, i) => s + (i < values.length ? put(values[i]) : '')).join(''));
}

/** A parsed element: child elements and attributes (`@_name`) by name as written, text under `#text`. */
export type Node = Record<string, unknown>;

const parser = new XMLParser({
  ignoreAttributes: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  htmlEntities: true,
});

export function parseXml(text: string): Node {
  return parser.parse(text, true) as Node;
}

/** The first child element whose name without prefix is `local`. Text-only elements come as `{ '#text': … }`. */
export function child(node: Node | undefined, local: string): Node | undefined {
  return children(node, local)[0];
}

/** All child elements of that local name. */
export function children(node: Node | undefined, local: string): Node[] {
  if (!node) return [];
  return Object.entries(node)
    .filter(([name]) => !name.startsWith('@_') && name.split(':').at(-1) === local)
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]) as unknown[])
    .map((value) =>
      typeof value === 'object' && value !== null ? (value as Node) : { '#text': String(value) },
    );
}

/** The text of a descendant found by local names, or undefined. */
export function textAt(node: Node | undefined, ...path: string[]): string | undefined {
  let at = node;
  for (const local of path) at = child(at, local);
  const text = at?.['#text'];
  return text === undefined ? undefined : String(text);
}
