import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

function coloursOf(theme: string): Map<string, string> {
  const start = css.indexOf(`:root[data-theme='${theme}'] {`);
  const block = css.slice(start, css.indexOf('}', start));
  return new Map(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = '', hex = '']) => [name, hex]),
  );
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string) => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const grounds = ['ground', 'surface', 'surface-raised', 'surface-hover', 'input'];
const pairs: [string, string, number][] = [
  ...grounds.flatMap((ground): [string, string, number][] => [
    ['text', ground, 7],
    ['text-muted', ground, 4.5],
    ['accent', ground, 4.5],
  ]),
  ...['ok', 'warn', 'bad', 'idle', 'accent'].map((tone): [string, string, number] => [
    tone,
    `${tone}-ground`,
    4.5,
  ]),
  ...['ok', 'warn', 'bad', 'idle'].map((tone): [string, string, number] => [tone, 'surface', 4.5]),
  ['on-accent', 'accent', 4.5],
  ['on-accent', 'accent-strong', 4.5],
  ['on-danger', 'danger', 4.5],
  ['text', 'accent-ground', 7],
  ['border-control', 'input', 3],
  ['border-control', 'surface', 3],
  ['focus', 'ground', 3],
];

describe.each(['dark', 'light'])('%s theme', (theme) => {
  const colours = coloursOf(theme);
  it.each(pairs)('%s on %s has a contrast of at least %s', (front, back, least) => {
    const ratio = contrast(colours.get(front) ?? '', colours.get(back) ?? '');
    expect(ratio).toBeGreaterThanOrEqual(least);
  });
});
