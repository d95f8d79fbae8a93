import { resolve, sep } from 'node:path';
import { AppError } from '#api/errors.ts';

/**
 * Absolute path of `file`, which a row names relative to `dir`.
 * @throws AppError not-found when it would lead out of `dir`: a damaged or forged row must not open other files
 */
export function pathInside(dir: string, file: string): string {
  const path = resolve(dir, file);
  if (!path.startsWith(`${resolve(dir)}${sep}`)) throw new AppError('not-found');
  return path;
}
