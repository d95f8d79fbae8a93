import { randomBytes } from 'node:crypto';

/**
 * A new id (UUID v7, text): its first 48 bits are the time, the rest is random. Ids made one after the other lie side by side in an index, so
 * that a day of a large recording index is deleted from few pages. Rows are ordered by their instants all the same, never by id.
 * Source: RFC 9562, 5.7.
 */
export function newId(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
