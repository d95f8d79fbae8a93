import { MediaError } from '#media/errors.ts';

/** A contiguous range of IPv4 addresses as unsigned 32-bit numbers, both ends included. */
export interface Ipv4Range {
  first: number;
  last: number;
}

/**
 * The dotted-quad `text` as an unsigned number, or undefined if it is anything else.
 * Leading zeros are refused: some systems read them as octal, so `010.0.0.1` could pass a check as one address and be called as another.
 */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    if ((part.length > 1 && part.startsWith('0')) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** Dotted quad of an unsigned 32-bit number. */
export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/**
 * Reads `10.1.2.0/24`, `10.1.2.10-10.1.2.40`, `10.1.2.10-40` or one address. For a prefix the host bits may be set (`10.1.2.7/24`
 * is the whole /24), because people type the camera's own address.
 * @throws MediaError 'rejected' with the text, if it is none of these
 */
export function parseRange(text: string): Ipv4Range {
  const trimmed = text.trim();
  const refuse = () =>
    new MediaError('rejected', `"${trimmed}" is not an IPv4 range (10.1.2.0/24 or 10.1.2.10-10.1.2.40)`, {
      range: trimmed,
    });
  const [left = '', right, ...rest] = trimmed.split(/\s*[-/]\s*/);
  const first = parseIpv4(left);
  if (first === undefined || rest.length > 0) throw refuse();
  if (right === undefined) return { first, last: first };
  if (trimmed.includes('/')) {
    if (!/^\d{1,2}$/.test(right) || Number(right) > 32) throw refuse();
    const size = 2 ** (32 - Number(right));
    const base = Math.floor(first / size) * size;
    return { first: base, last: base + size - 1 };
  }
  const last =
    /^\d{1,3}$/.test(right) && Number(right) <= 255
      ? first - (first % 256) + Number(right)
      : parseIpv4(right);
  if (last === undefined || last < first) throw refuse();
  return { first, last };
}

/** Whether `address` (dotted quad) lies in one of `ranges`. Anything that is not a dotted quad lies in none. */
export function isInRanges(address: string, ranges: readonly Ipv4Range[]): boolean {
  const value = parseIpv4(address);
  return value !== undefined && ranges.some((range) => value >= range.first && value <= range.last);
}

/** How many distinct addresses `ranges` hold. */
export function countAddresses(ranges: readonly Ipv4Range[]): number {
  return merge(ranges).reduce((sum, range) => sum + range.last - range.first + 1, 0);
}

/** The distinct addresses of `ranges`, ascending. Check countAddresses first: this makes one string for each. */
export function expandRanges(ranges: readonly Ipv4Range[]): string[] {
  return merge(ranges).flatMap((range) =>
    Array.from({ length: range.last - range.first + 1 }, (_, index) => formatIpv4(range.first + index)),
  );
}

function merge(ranges: readonly Ipv4Range[]): Ipv4Range[] {
  const merged: Ipv4Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const previous = merged.at(-1);
    if (previous && range.first <= previous.last + 1) previous.last = Math.max(previous.last, range.last);
    else merged.push({ ...range });
  }
  return merged;
}
