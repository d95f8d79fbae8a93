import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashFiles, installFile, listFiles, readStamp, writeStamp } from './stamp.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weian-stamp-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const hash = (root: string) => hashFiles(root, listFiles(root));

test('the hash of a tree changes with content, name and number of files, and not with the place of the tree', () => {
  const tree = join(folder, 'a');
  mkdirSync(join(tree, 'deep'), { recursive: true });
  writeFileSync(join(tree, 'one'), '1');
  writeFileSync(join(tree, 'deep/two'), '2');
  const before = hash(tree);
  writeFileSync(join(tree, 'one'), '1!');
  expect(hash(tree)).not.toBe(before);
  writeFileSync(join(tree, 'one'), '1');
  renameSync(join(tree, 'deep/two'), join(tree, 'deep/three'));
  expect(hash(tree)).not.toBe(before);
  renameSync(join(tree, 'deep/three'), join(tree, 'deep/two'));
  writeFileSync(join(tree, 'empty'), '');
  expect(hash(tree)).not.toBe(before);
  rmSync(join(tree, 'empty'));
  renameSync(tree, join(folder, 'moved'));
  expect(hash(join(folder, 'moved'))).toBe(before);
});

test('a folder that is not wanted is left out whole, and an absent one is empty', () => {
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist/made'), '');
  writeFileSync(join(folder, 'source'), '');
  expect(listFiles(folder, (path) => path !== 'dist')).toEqual([join(folder, 'source')]);
  expect(listFiles(join(folder, 'absent'))).toEqual([]);
});

test('a stamp is written into new folders, read back, and leaves no part behind', () => {
  const path = join(folder, 'new/stamp');
  expect(readStamp(path)).toBeUndefined();
  writeStamp(path, 'one');
  writeStamp(path, 'two');
  expect(readStamp(path)).toBe('two');
  expect(readdirSync(join(folder, 'new'))).toEqual(['stamp']);
});

test('a program is installed over an older one with its mode; a source that cannot be read leaves the old one', () => {
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(to, 'old');
  expect(() => installFile(from, to)).toThrow('ENOENT');
  expect(readFileSync(to, 'utf8')).toBe('old');
  writeFileSync(from, 'new');
  chmodSync(from, 0o755);
  installFile(from, to);
  expect(readFileSync(to, 'utf8')).toBe('new');
  expect(statSync(to).mode & 0o777).toBe(0o755);
  expect(readdirSync(folder).toSorted()).toEqual(['from', 'to']);
});
