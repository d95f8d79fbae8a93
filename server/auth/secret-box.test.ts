import { mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { assertKeyFits, createSecretBox, SecretKeyError } from './secret-box.ts';

let dir: string;
let keyFile: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'weian-keys-'));
  keyFile = join(dir, 'device-secrets.key');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('opens what it sealed, also with another instance on the same folder', () => {
  const sealed = createSecretBox(dir).seal('pässwort-密码', 'row-1');
  expect(createSecretBox(dir).open(sealed, 'row-1')).toBe('pässwort-密码');
  expect(createSecretBox(dir).open(createSecretBox(dir).seal('', 'row-1'), 'row-1')).toBe('');
});

it('seals the same password differently each time and never in the clear', () => {
  const box = createSecretBox(dir);
  const sealed = [box.seal('camera-secret', 'a'), box.seal('camera-secret', 'a')];
  expect(sealed[0]).not.toBe(sealed[1]);
  for (const text of sealed) {
    expect(text).toMatch(/^v1\.[0-9a-f]{12}\.[\w-]+$/);
    expect(Buffer.from(text.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain(
      'camera-secret',
    );
  }
});

it('keeps the key in a file only its owner may read, 32 bytes, made once', () => {
  const box = createSecretBox(dir);
  box.seal('x', 'a');
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  const first = readFileSync(keyFile, 'utf8');
  expect(Buffer.from(first, 'base64')).toHaveLength(32);
  createSecretBox(dir).seal('y', 'a');
  expect(readFileSync(keyFile, 'utf8')).toBe(first);
});

it('refuses a sealed password moved to another row', () => {
  const box = createSecretBox(dir);
  const sealed = box.seal('secret', 'row-1');
  expect(() => box.open(sealed, 'row-2')).toThrow(/changed or belongs to another row/);
});

it('refuses every single changed byte', () => {
  const box = createSecretBox(dir);
  const [version, id, text = ''] = box.seal('secret', 'row').split('.');
  const body = Buffer.from(text, 'base64url');
  for (let index = 0; index < body.length; index++) {
    const changed = Buffer.from(body);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => box.open(`${version}.${id}.${changed.toString('base64url')}`, 'row')).toThrow(
      SecretKeyError,
    );
  }
});

it('names the file when the key is missing, and does not make a new one by opening', () => {
  const sealed = createSecretBox(dir).seal('secret', 'row');
  unlinkSync(keyFile);
  const fresh = createSecretBox(dir);
  expect(() => fresh.open(sealed, 'row')).toThrow(`The key for device passwords is missing: ${keyFile}`);
  expect(() => assertKeyFits(fresh, [sealed])).toThrow(keyFile);
  expect(() => statSync(keyFile)).toThrow('ENOENT');
});

it('says so when the key in place is another one', () => {
  const sealed = createSecretBox(dir).seal('secret', 'row');
  unlinkSync(keyFile);
  const other = createSecretBox(dir);
  other.seal('new', 'row');
  expect(() => other.open(sealed, 'row')).toThrow(/was sealed with key [0-9a-f]{12}, but/);
  expect(() => assertKeyFits(other, [sealed])).toThrow(
    /1 of 1 device passwords were sealed with another key/,
  );
});

it('lets a fresh installation start without a key', () => {
  expect(() => assertKeyFits(createSecretBox(dir), [])).not.toThrow();
});

it.each(['', 'short', Buffer.alloc(31).toString('base64')])('refuses a damaged key file (%j)', (content) => {
  writeFileSync(keyFile, content);
  expect(() => createSecretBox(dir).seal('x', 'a')).toThrow(/damaged/);
});

it.each(['', 'plain', 'v1..AAAA', 'v2.abc.AAAA', 'v1.abc.AAAA', 'v1.abc.AAAA.x'])(
  'refuses a text of unknown form (%j)',
  (text) => {
    const box = createSecretBox(dir);
    box.seal('x', 'a');
    expect(() => box.open(text, 'a')).toThrow(/unknown form/);
  },
);
