import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path from the root for a file of the project; undefined for a package. */
  readonly path: string | undefined;
}

const forms = /(?:\bfrom|^\s*import|\bimport\s*\()\s*['"]([^'"\n]+)['"]/gm;

/** What a file imports or re-exports, types and `import()` included, with aliases and relative paths resolved. */
export function importsOf(file: SourceFile): Import[] {
  return [...file.text.matchAll(forms)].map(([, specifier = '']) => ({
    specifier,
    path: resolve(file.path, specifier),
  }));
}

function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#api/')) return `server/${specifier.slice('#api/'.length)}`;
  if (specifier.startsWith('#media/')) return `media/${specifier.slice('#media/'.length)}`;
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  return undefined;
}
