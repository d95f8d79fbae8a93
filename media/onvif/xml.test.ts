import { describe, expect, it } from 'vitest';
import { attribute, escapeXml, find, findAll, list, number, parseXml, text } from './xml.ts';

describe('parseXml', () => {
  it('reads names without prefix, text exactly, attributes, namespaces, CDATA and entities', () => {
    const root = parseXml(
      '<?xml version="1.0"?><!-- <a> --><s:A xmlns:s="urn:s" s:x="1 &amp; 2"><s:V> 1.10 </s:V><V xmlns="urn:v">0012</V><s:W/><T>a&lt;b<![CDATA[<&amp;>]]>&#x4E2D;&#25991;&nope;</T></s:A>',
    );
    expect([root.name, root.namespace, attribute(root, 'x')]).toEqual(['A', 'urn:s', '1 & 2']);
    expect(list(root, 'V').map((node) => [node.text, node.namespace])).toEqual([
      [' 1.10 ', 'urn:s'],
      ['0012', 'urn:v'],
    ]);
    expect(text(root, 'V')).toBe('1.10');
    expect(text(root, 'W')).toBeUndefined();
    expect(text(root, 'T')).toBe('a<b<&amp;>中文&nope;');
    expect(findAll(root, 'V')).toHaveLength(2);
    expect(find(root, 'X', 'Y')).toBeUndefined();
  });

  it('takes a number only if it is one', () => {
    const root = parseXml('<a><b>25</b><c>12.5</c><d>25fps</d><e></e><f>0x10</f><g>-3</g></a>');
    expect(['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => number(root, name))).toEqual([
      25,
      12.5,
      undefined,
      undefined,
      undefined,
      -3,
      undefined,
    ]);
  });

  it.each([
    ['', 'protocol'],
    ['hello', 'protocol'],
    ['<a><b></a>', 'protocol'],
    ['<a', 'protocol'],
    ['<!DOCTYPE a><a/>', 'protocol'],
    ['<a><!-- </a>', 'protocol'],
    [`${'<a>'.repeat(100)}${'</a>'.repeat(100)}`, 'too-large'],
  ])('refuses %j', (xml, code) => {
    expect(() => parseXml(xml)).toThrow(expect.objectContaining({ code }));
  });

  it('what escapeXml wrote is read back as it was', () => {
    const odd = `a<b>&"c"'d' 中 ]]>`;
    expect(text(parseXml(`<r><v q="${escapeXml(odd)}">${escapeXml(odd)}</v></r>`), 'v')).toBe(odd);
    expect(escapeXml('a\u0000\u0008b\n')).toBe('ab\n');
  });
});
