import { errorRegistry } from '#api/errors.ts';
import type { SourceFile } from './source-files.ts';

const maxLines = 400;
const rootEntries = new Set([
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'server',
  'web',
  'media',
  'scripts',
  'test',
  'README.md',
  'LICENSE',
]);
const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const pascal = /^[A-Z][A-Za-z0-9]*$/;

/** Entries at the root that the design does not name. Dotfiles are free. */
export function findStrayRootEntries(paths: readonly string[]): string[] {
  const entries = new Set(paths.map((path) => path.split('/')[0] ?? ''));
  return [...entries].filter((entry) => !entry.startsWith('.') && !rootEntries.has(entry));
}

/** Code files and their folders that are not kebab-case, and components that are not Pascal. */
export function findWrongNames(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const parts = path.split('/');
    const file = parts.pop() ?? '';
    if (!/\.(ts|mjs|js|svelte|css|html|py|sh)$/.test(file) || parts.length === 0) return false;
    const stem = file.replace(/(\.svelte|\.test|\.config)?\.[a-z]+$/, '');
    const isRight = file.endsWith('.svelte') ? pascal.test(stem) : kebab.test(stem);
    return !isRight || parts.some((part) => !part.startsWith('.') && !kebab.test(part));
  });
}

/** Files too long to be read at one sitting: `path: lines`. */
export function findLongFiles(files: readonly SourceFile[]): string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - Number(text.endsWith('\n')) }))
    .filter(({ lines }) => lines > maxLines)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

/** Readers of the environment other than the configuration and the entry that hands it over. Tests and scripts are free. */
export function findEnvReaders(files: readonly SourceFile[]): string[] {
  const free = /^(scripts|test)\/|\.test\.ts$|^server\/(config|main)\.ts$/;
  return files
    .filter(
      ({ path, text }) =>
        !free.test(path) && /\bprocess\s*\.\s*env\b|\benv\b[^;\n]*from 'node:process'/.test(text),
    )
    .map(({ path }) => path);
}

/** Error codes thrown or compared with that the registry does not have: `path: code`. */
export function findUnknownErrorCodes(files: readonly SourceFile[]): string[] {
  const forms = [/\bnew AppError\(\s*['"]([^'"]+)['"]/g, /\berrorRegistry\[['"]([^'"]+)['"]\]/g];
  return files
    .filter(({ path }) => /^(server|web)\//.test(path))
    .flatMap(({ path, text }) =>
      forms.flatMap((form) => [...text.matchAll(form)].map(([, code = '']) => ({ path, code }))),
    )
    .filter(({ code }) => !(code in errorRegistry))
    .map(({ path, code }) => `${path}: ${code}`);
}

/** Tests switched off, left for later, or run alone: `path: call`. */
export function findSilencedTests(files: readonly SourceFile[]): string[] {
  const form =
    /\b(?:(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|only|todo|skipIf|runIf|fails)\b|[fx](?:it|test|describe)\()/g;
  return files
    .filter(({ path }) => /\.test\.ts$|^test\//.test(path))
    .flatMap(({ path, text }) => [...text.matchAll(form)].map(([call]) => `${path}: ${call}`));
}

/** Marks of unfinished or hushed-up work: `path: mark`. One line may be excused from one lint rule with its reason after `--`. */
export function findUnfinished(files: readonly SourceFile[]): string[] {
  const form =
    /\b(?:TODO|FIXME|XXX)\b|@ts-(?:ignore|nocheck)|(?:eslint|oxlint)-disable(?!-next-line \S+ -- \S)/g;
  return files.flatMap(({ path, text }) => [...text.matchAll(form)].map(([mark]) => `${path}: ${mark}`));
}
