import { randomUUID } from 'node:crypto';

/** A new random id (UUID v4, text). Rows are ordered by their instants, never by id. */
export function newId(): string {
  return randomUUID();
}
