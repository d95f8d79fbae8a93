/** What an RTP packet of a replay says of itself. */
export interface ReplayPacket {
  /** RTP time stamp, 90 kHz for video. */
  timestamp: number;
  /** Last packet of its picture. */
  isMarked: boolean;
  /** Where the payload begins and ends in the packet. */
  payloadAt: number;
  payloadEnd: number;
  /** Undefined in packets without the replay extension: only the first of a picture must have it. */
  replay: ReplayTime | undefined;
}

/** The ONVIF replay extension. */
export interface ReplayTime {
  /** The device's wall clock for this picture, epoch ms with a fraction. */
  deviceAt: number;
  /** C: the picture can be decoded by itself. */
  isCleanPoint: boolean;
  /** D: footage is missing before it. */
  isDiscontinuity: boolean;
}

const REPLAY_PROFILE = 0xabac;
const NTP_TO_UNIX_S = 2_208_988_800;

/**
 * Reads an RTP packet; undefined for anything that is not one (wrong version, shorter than its own lengths say).
 * Source: RFC 3550 section 5.1; ONVIF Streaming specification 6.3 (extension 0xABAC: NTP time, then C, E, D, T flags and CSeq).
 */
export function readReplayPacket(packet: Buffer): ReplayPacket | undefined {
  if (packet.length < 12) return undefined;
  const [first, second] = [packet.readUInt8(0), packet.readUInt8(1)];
  if (first >> 6 !== 2) return undefined;
  let at = 12 + (first & 0x0f) * 4;
  let replay: ReplayTime | undefined;
  if ((first & 0x10) !== 0) {
    if (at + 4 > packet.length) return undefined;
    const body = at + 4;
    const end = body + packet.readUInt16BE(at + 2) * 4;
    if (end > packet.length) return undefined;
    if (packet.readUInt16BE(at) === REPLAY_PROFILE && end - body >= 12) replay = readTime(packet, body);
    at = end;
  }
  const padding = (first & 0x20) === 0 ? 0 : packet.readUInt8(packet.length - 1);
  const payloadEnd = packet.length - padding;
  if (at >= payloadEnd) return undefined;
  return {
    timestamp: packet.readUInt32BE(4),
    isMarked: (second & 0x80) !== 0,
    payloadAt: at,
    payloadEnd,
    replay,
  };
}

function readTime(packet: Buffer, at: number): ReplayTime {
  const seconds = packet.readUInt32BE(at);
  const fraction = packet.readUInt32BE(at + 4) / 2 ** 32;
  // NTP's 32-bit seconds begin again on 7 February 2036; times before 1968 stand for after that. Source: RFC 5905 section 6.
  const era = seconds < 2 ** 31 ? 2 ** 32 : 0;
  const flags = packet.readUInt8(at + 8);
  return {
    deviceAt: (seconds + era - NTP_TO_UNIX_S + fraction) * 1000,
    isCleanPoint: (flags & 0x80) !== 0,
    isDiscontinuity: (flags & 0x20) !== 0,
  };
}

/** Whether an RTCP compound packet holds a BYE: the device has nothing more of this range. Source: RFC 3550 section 6.6. */
export function hasBye(rtcp: Buffer): boolean {
  for (let at = 0; at + 4 <= rtcp.length; at += 4 + rtcp.readUInt16BE(at + 2) * 4)
    if (rtcp.readUInt8(at + 1) === 203) return true;
  return false;
}

export type ReplayCodec = 'h264' | 'h265';

/** What kinds of unit begin in a packet, as far as they matter here. */
export interface UnitKinds {
  /** A picture that can be decoded by itself (IDR, or IRAP in H.265). */
  hasKey: boolean;
  /** Sequence parameters: the decoder's setup travels with the pictures. */
  hasParameters: boolean;
}

/** Source: RFC 6184 sections 5.6 to 5.8 (single, STAP-A, FU-A); RFC 7798 section 4.4 (single, AP, FU). */
export function unitKinds(codec: ReplayCodec, packet: Buffer, from: number, end: number): UnitKinds {
  const headerBytes = codec === 'h264' ? 1 : 2;
  const typeOf = (at: number) =>
    codec === 'h264' ? packet.readUInt8(at) & 0x1f : (packet.readUInt8(at) >> 1) & 0x3f;
  const [aggregate, fragment] = codec === 'h264' ? [24, 28] : [48, 49];
  const types: number[] = [];
  if (end - from >= headerBytes) {
    const type = typeOf(from);
    if (type === aggregate) {
      for (let at = from + headerBytes; at + 2 < end; at += 2 + packet.readUInt16BE(at))
        types.push(typeOf(at + 2));
    } else if (type === fragment) {
      const header = from + headerBytes < end ? packet.readUInt8(from + headerBytes) : 0;
      if ((header & 0x80) !== 0) types.push(header & (codec === 'h264' ? 0x1f : 0x3f));
    } else types.push(type);
  }
  const isKey = (type: number) => (codec === 'h264' ? type === 5 : type >= 16 && type <= 21);
  const isParameters = (type: number) => type === (codec === 'h264' ? 7 : 33);
  return { hasKey: types.some(isKey), hasParameters: types.some(isParameters) };
}
