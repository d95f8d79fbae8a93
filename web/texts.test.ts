import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const webDir = new URL('.', import.meta.url).pathname;
const messagesDir = join(webDir, 'i18n/messages');
const features = readdirSync(messagesDir);
const chinese = /\p{Script=Han}/u;

function messages(feature: string, locale: string): Record<string, string> {
  return JSON.parse(readFileSync(join(messagesDir, feature, `${locale}.json`), 'utf8')) as Record<
    string,
    string
  >;
}

function sources(): string[] {
  const skipped = /^(paraglide|dist|i18n|public)\//;
  return readdirSync(webDir, { recursive: true, encoding: 'utf8' }).filter(
    (path) => /\.(svelte|ts)$/.test(path) && !path.endsWith('.test.ts') && !skipped.test(path),
  );
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).toSorted();

describe('texts of the console', () => {
  it.each(features)('%s has every text in both languages, with the same placeholders', (feature) => {
    const zh = messages(feature, 'zh-CN');
    const en = messages(feature, 'en');
    expect(Object.keys(en).toSorted()).toEqual(Object.keys(zh).toSorted());
    for (const [key, text] of Object.entries(zh)) {
      expect(key.startsWith(`${feature}_`), `${key} does not start with its feature`).toBe(true);
      expect(text.trim(), key).not.toBe('');
      expect(en[key]?.trim(), key).not.toBe('');
      expect(placeholders(en[key] ?? ''), key).toEqual(placeholders(text));
    }
  });

  it('every folder of texts is compiled', () => {
    const settings = JSON.parse(readFileSync(join(webDir, 'i18n/project.inlang/settings.json'), 'utf8')) as {
      'plugin.inlang.messageFormat': { pathPattern: string[] };
    };
    expect(settings['plugin.inlang.messageFormat'].pathPattern.toSorted()).toEqual(
      features.map((feature) => `./messages/${feature}/{locale}.json`).toSorted(),
    );
  });

  it('no Chinese is written into components or code', () => {
    const found = sources().filter((path) => chinese.test(readFileSync(join(webDir, path), 'utf8')));
    expect(found).toEqual([]);
  });

  it('every text is used', () => {
    const code = sources()
      .map((path) => readFileSync(join(webDir, path), 'utf8'))
      .join('\n');
    const used = new Set([...code.matchAll(/\bm\s*\.\s*(\w+)/g)].map((match) => match[1]));
    const unused = features
      .flatMap((feature) => Object.keys(messages(feature, 'zh-CN')))
      .filter((key) => !used.has(key));
    expect(unused).toEqual([]);
  });
});
