import { describe, expect, it } from 'vitest';
import { hasBye, readReplayPacket, unitKinds } from './rtp.ts';
import { makePacket } from './testing.ts';

const at = Date.parse('2026-11-24T01:00:03.400Z');

describe('packets of a replay', () => {
  it('tell the device’s own time to the millisecond, before and after 2036', () => {
    for (const deviceAt of [at, Date.parse('2040-02-29T12:00:00.125Z')]) {
      const read = readReplayPacket(
        makePacket({ timestamp: 7, deviceAt, unit: 0x65, isDiscontinuity: true }),
      );
      expect(read?.replay?.deviceAt).toBeCloseTo(deviceAt, 2);
      expect(read).toMatchObject({ timestamp: 7, isMarked: true, replay: { isDiscontinuity: true } });
    }
  });

  it('may have another extension, or none', () => {
    const packet = makePacket({ timestamp: 1, deviceAt: at, unit: 0x61 });
    packet.writeUInt16BE(0xbede, 12);
    expect(readReplayPacket(packet)).toMatchObject({ replay: undefined, payloadAt: 28 });
    expect(readReplayPacket(makePacket({ timestamp: 1, deviceAt: null, unit: 0x61 }))).toMatchObject({
      payloadAt: 12,
    });
  });

  it('that contradict their own lengths are none', () => {
    const packet = makePacket({ timestamp: 1, deviceAt: at, unit: 0x65 });
    for (let length = 0; length < 28; length += 1)
      expect(readReplayPacket(packet.subarray(0, length))).toBeUndefined();
    const long = Buffer.from(packet);
    long.writeUInt16BE(0xffff, 14);
    const version = Buffer.from(packet);
    version.writeUInt8(0x50, 0);
    const padded = Buffer.from(packet);
    padded.writeUInt8(0xb0, 0);
    padded.writeUInt8(200, padded.length - 1);
    for (const bad of [long, version, padded]) expect(readReplayPacket(bad)).toBeUndefined();
  });

  it('show where a picture can be decoded by itself, in every packing', () => {
    const kinds = (codec: 'h264' | 'h265', ...bytes: number[]) =>
      unitKinds(codec, Buffer.from(bytes), 0, bytes.length);
    expect(kinds('h264', 0x65, 0)).toMatchObject({ hasKey: true });
    expect(kinds('h264', 0x7c, 0x85)).toMatchObject({ hasKey: true });
    expect(kinds('h264', 0x7c, 0x05)).toMatchObject({ hasKey: false }); // not its first part
    expect(kinds('h264', 0x78, 0, 2, 0x67, 1, 0, 2, 0x65, 1)).toEqual({ hasKey: true, hasParameters: true });
    expect(kinds('h264', 0x61, 0)).toEqual({ hasKey: false, hasParameters: false });
    expect(kinds('h265', 19 << 1, 1, 0)).toMatchObject({ hasKey: true });
    expect(kinds('h265', 49 << 1, 1, 0x80 | 21)).toMatchObject({ hasKey: true });
    expect(kinds('h265', 48 << 1, 1, 0, 2, 33 << 1, 1)).toEqual({ hasKey: false, hasParameters: true });
    expect(kinds('h264', 0x78, 0xff, 0xff, 0x65)).toEqual({ hasKey: true, hasParameters: false });
    expect(kinds('h265', 1)).toEqual({ hasKey: false, hasParameters: false });
  });

  it('end with a BYE anywhere in the compound', () => {
    expect(hasBye(Buffer.from('80c900011111111181cb000111111111', 'hex'))).toBe(true);
    expect(hasBye(Buffer.from('80c9000111111111', 'hex'))).toBe(false);
    expect(hasBye(Buffer.from('81', 'hex'))).toBe(false);
  });
});
