/** The current instant in epoch ms. Handed to services so that tests can decide what time it is. */
export type Now = () => number;

/** Epoch ms to ISO 8601 in UTC (`Z` is an offset), the form of every instant on the wire. */
export function toWire(at: number): string {
  return new Date(at).toISOString();
}

/** Like {@link toWire}; null stays null: an unknown instant is unknown on the wire too. */
export function toWireOrNull(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : toWire(at);
}

/** ISO 8601 with offset to epoch ms. The schema has already checked the form. */
export function fromWire(text: string): number {
  return Date.parse(text);
}
