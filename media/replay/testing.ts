/** RTP packets of a replay, made by hand for tests. */
export interface MadePacket {
  timestamp: number;
  /** Epoch ms of the replay extension; null: without one. */
  deviceAt: number | null;
  /** First byte of the payload: 0x65 a key picture, 0x61 another, 0x67 the parameters (H.264). */
  unit: number;
  isMarked?: boolean;
  isDiscontinuity?: boolean;
}

/** Source: RFC 3550 section 5.1, ONVIF Streaming specification 6.3. */
export function makePacket({
  timestamp,
  deviceAt,
  unit,
  isMarked = true,
  isDiscontinuity = false,
}: MadePacket): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt8(deviceAt === null ? 0x80 : 0x90, 0);
  head.writeUInt8(96 | (isMarked ? 0x80 : 0), 1);
  head.writeUInt32BE(timestamp >>> 0, 4);
  const payload = Buffer.from([unit, 0, 0, 0]);
  if (deviceAt === null) return Buffer.concat([head, payload]);
  const extension = Buffer.alloc(16);
  extension.writeUInt16BE(0xabac, 0);
  extension.writeUInt16BE(3, 2);
  const ntp = deviceAt / 1000 + 2_208_988_800;
  extension.writeUInt32BE(Math.floor(ntp) % 2 ** 32, 4);
  extension.writeUInt32BE(Math.floor((ntp % 1) * 2 ** 32), 8);
  extension.writeUInt8(isDiscontinuity ? 0x20 : 0, 12);
  return Buffer.concat([head, extension, payload]);
}
