/** One file of a ZIP, known before a byte is written. */
export interface ZipEntry {
  /** With `/` between folders. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly crc32: number;
}

/** A stretch of the ZIP: bytes of its own, or the whole of the entry with that index. */
export type ZipPiece =
  | { readonly at: number; readonly sizeBytes: number; readonly bytes: Buffer }
  | { readonly at: number; readonly sizeBytes: number; readonly entry: number };

/** Every byte of a ZIP has its place before the first is sent, so that its length is known and any part of it can be sent alone. */
export interface ZipLayout {
  readonly pieces: readonly ZipPiece[];
  readonly sizeBytes: number;
}

const uint32Max = 0xffff_ffff;
const uint16Max = 0xffff;
const utf8Flag = 0x0800;
const storedVersion = 20;
const zip64Version = 45;
const madeByUnix = 3 << 8;
const regularFile = 0o100644;

/**
 * Lays out a ZIP whose files are stored as they are, in the order given. Zip64 fields appear only where a size or place needs them.
 * `modified` is wall time, as `2026-11-24 23:59:30`: the format knows no zone. Equal input gives equal bytes.
 * Source: APPNOTE.TXT 6.3.10, 4.3 and 4.5.3.
 */
export function layOutZip(entries: readonly ZipEntry[], modified: string): ZipLayout {
  const stamp = dosTime(modified);
  const pieces: ZipPiece[] = [];
  let at = 0;
  const put = (bytes: Buffer) => {
    pieces.push({ at, sizeBytes: bytes.length, bytes });
    at += bytes.length;
  };
  const directory = entries.map((entry, index) => {
    const offset = at;
    put(localHeader(entry, stamp));
    pieces.push({ at, sizeBytes: entry.sizeBytes, entry: index });
    at += entry.sizeBytes;
    return directoryHeader(entry, offset, stamp);
  });
  const start = at;
  const sizeBytes = directory.reduce((sum, bytes) => sum + bytes.length, 0);
  put(Buffer.concat([...directory, directoryEnd({ count: entries.length, start, sizeBytes })]));
  return { pieces, sizeBytes: at };
}

function localHeader(entry: ZipEntry, stamp: number): Buffer {
  const name = Buffer.from(entry.name, 'utf8');
  const isLong = entry.sizeBytes >= uint32Max;
  const extra = isLong ? zip64Extra([entry.sizeBytes, entry.sizeBytes]) : Buffer.alloc(0);
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x0403_4b50, 0);
  head.writeUInt16LE(isLong ? zip64Version : storedVersion, 4);
  writeCommon(head, 6, entry, stamp);
  head.writeUInt16LE(name.length, 26);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, name, extra]);
}

function directoryHeader(entry: ZipEntry, offset: number, stamp: number): Buffer {
  const name = Buffer.from(entry.name, 'utf8');
  const isLong = entry.sizeBytes >= uint32Max;
  const isFar = offset >= uint32Max;
  const extra =
    isLong || isFar
      ? zip64Extra([...(isLong ? [entry.sizeBytes, entry.sizeBytes] : []), ...(isFar ? [offset] : [])])
      : Buffer.alloc(0);
  const version = isLong || isFar ? zip64Version : storedVersion;
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x0201_4b50, 0);
  head.writeUInt16LE(madeByUnix | version, 4);
  head.writeUInt16LE(version, 6);
  writeCommon(head, 8, entry, stamp);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(extra.length, 30);
  head.writeUInt32LE((regularFile << 16) >>> 0, 38);
  head.writeUInt32LE(Math.min(offset, uint32Max), 42);
  return Buffer.concat([head, name, extra]);
}

/** Flags, method, time, sum and sizes: they stand alike in both headers. */
function writeCommon(head: Buffer, at: number, { crc32, sizeBytes }: ZipEntry, stamp: number): void {
  head.writeUInt16LE(utf8Flag, at);
  head.writeUInt16LE(0, at + 2); // stored
  head.writeUInt32LE(stamp, at + 4);
  head.writeUInt32LE(crc32, at + 8);
  head.writeUInt32LE(Math.min(sizeBytes, uint32Max), at + 12);
  head.writeUInt32LE(Math.min(sizeBytes, uint32Max), at + 16);
}

function zip64Extra(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + values.length * 8);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(values.length * 8, 2);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 4 + index * 8);
  return bytes;
}

function directoryEnd(directory: { count: number; start: number; sizeBytes: number }): Buffer {
  const { count, start, sizeBytes } = directory;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x0605_4b50, 0);
  end.writeUInt16LE(Math.min(count, uint16Max), 8);
  end.writeUInt16LE(Math.min(count, uint16Max), 10);
  end.writeUInt32LE(Math.min(sizeBytes, uint32Max), 12);
  end.writeUInt32LE(Math.min(start, uint32Max), 16);
  if (count < uint16Max && start < uint32Max && sizeBytes < uint32Max) return end;
  const long = Buffer.alloc(56 + 20);
  long.writeUInt32LE(0x0606_4b50, 0);
  long.writeBigUInt64LE(44n, 4);
  long.writeUInt16LE(madeByUnix | zip64Version, 12);
  long.writeUInt16LE(zip64Version, 14);
  long.writeBigUInt64LE(BigInt(count), 24);
  long.writeBigUInt64LE(BigInt(count), 32);
  long.writeBigUInt64LE(BigInt(sizeBytes), 40);
  long.writeBigUInt64LE(BigInt(start), 48);
  long.writeUInt32LE(0x0706_4b50, 56);
  long.writeBigUInt64LE(BigInt(start + sizeBytes), 64);
  long.writeUInt32LE(1, 72);
  return Buffer.concat([long, end]);
}

/** Time in the low, date in the high two bytes; even seconds, from 1980. */
function dosTime(modified: string): number {
  const [year = 1980, month = 1, day = 1, hour = 0, minute = 0, second = 0] = modified
    .split(/\D/)
    .map(Number);
  const time = (hour << 11) | (minute << 5) | (second >> 1);
  const date = ((year - 1980) << 9) | (month << 5) | day;
  return ((date << 16) | time) >>> 0;
}
