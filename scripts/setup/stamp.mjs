import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Every file below `folder`, sorted; absent folder: none.
 * @param {string} folder
 * @param {(path: string) => boolean} [wanted] gets the path relative to `folder`; false for a folder leaves it out whole
 * @returns {string[]} absolute paths
 */
export function listFiles(folder, wanted = () => true) {
  if (!existsSync(folder)) return [];
  /** @type {string[]} */
  const files = [];
  /** @param {string} current */
  const walk = (current) => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (!wanted(relative(folder, path))) continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) files.push(path);
    }
  };
  walk(folder);
  return files.toSorted();
}

/**
 * One SHA-256 (hex) over names and contents: it changes when a file is edited, added, removed or renamed.
 * @param {string} root names are taken relative to this folder, so that two clones agree
 * @param {string[]} paths absolute, in a stable order
 */
export function hashFiles(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const content = readFileSync(path);
    hash.update(`${relative(root, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * The text last written by `writeStamp`; undefined if there is none.
 * @param {string} path
 */
export function readStamp(path) {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

/**
 * Writes a small file whole or not at all, so that two set-ups at once never read half a stamp.
 * @param {string} path
 * @param {string} text
 */
export function writeStamp(path, text) {
  replaceFile(path, (part) => writeFileSync(part, `${text}\n`));
}

/**
 * Copies a file, with its mode, whole or not at all.
 * @param {string} from
 * @param {string} to
 */
export function installFile(from, to) {
  replaceFile(to, (part) => copyFileSync(from, part));
}

/**
 * @param {string} path
 * @param {(part: string) => void} write
 */
function replaceFile(path, write) {
  mkdirSync(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.part`;
  try {
    write(part);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}
