import { describe, expect, it } from 'vitest';
import { createCutter, createPictureReader, type ReplayPicture } from './pictures.ts';
import { makePacket } from './testing.ts';

const start = Date.parse('2026-11-24T01:00:00Z');

describe('pictures of a replay', () => {
  it('end at their marker, or where the next begins', () => {
    const reader = createPictureReader('h264');
    const one = { timestamp: 0, deviceAt: start };
    expect(reader.push(makePacket({ ...one, unit: 0x67, isMarked: false }))).toEqual([]);
    const [key] = reader.push(makePacket({ ...one, unit: 0x65 }));
    expect(key).toMatchObject({ isKey: true, hasParameters: true, deviceAt: start });
    expect(key?.packets).toHaveLength(2);
    expect(
      reader.push(makePacket({ timestamp: 3600, deviceAt: start + 40, unit: 0x61, isMarked: false })),
    ).toEqual([]);
    const both = reader.push(makePacket({ timestamp: 7200, deviceAt: start + 80, unit: 0x61 }));
    expect(both.map(({ deviceAt }) => Math.round(deviceAt))).toEqual([start + 40, start + 80]);
    expect(reader.end()).toEqual([]);
  });

  it('go on by the RTP clock, across its wrap, where the device leaves the time out', () => {
    const reader = createPictureReader('h264');
    reader.push(makePacket({ timestamp: 2 ** 32 - 1800, deviceAt: start, unit: 0x65 }));
    const [next] = reader.push(makePacket({ timestamp: 1800, deviceAt: null, unit: 0x61 }));
    expect(next?.deviceAt).toBeCloseTo(start + 40, 3);
  });

  it('without any time, and what is no RTP at all, are refused', () => {
    const untimed = makePacket({ timestamp: 0, deviceAt: null, unit: 0x65 });
    expect(() => createPictureReader('h264').push(untimed)).toThrow(/no replay times/);
    expect(() => createPictureReader('h264').push(Buffer.from('hello'))).toThrow(/no RTP/);
  });

  it('cannot grow without end', () => {
    const reader = createPictureReader('h264');
    const packet = Buffer.concat([
      makePacket({ timestamp: 0, deviceAt: start, unit: 0x65, isMarked: false }),
      Buffer.alloc(60_000),
    ]);
    expect(() => {
      for (let count = 0; count < 1_000; count += 1) reader.push(packet);
    }).toThrow(/no end/);
  });
});

describe('the cut of a range', () => {
  const picture = (offsetMs: number, isKey = false, isDiscontinuity = false): ReplayPicture => ({
    deviceAt: start + offsetMs,
    isKey,
    hasParameters: false,
    isDiscontinuity,
    packets: [],
  });
  const cutAll = (pictures: readonly ReplayPicture[]) =>
    pictures.map(createCutter({ fromDeviceAt: start, untilDeviceAt: start + 4_000 }));

  it('takes whole groups: those whose key picture lies in the range', () => {
    const pictures = [
      picture(-1_000, true),
      picture(0),
      picture(1_000, true),
      picture(3_900),
      picture(4_500),
      picture(5_000, true),
    ];
    expect(cutAll(pictures)).toEqual(['skip', 'skip', 'keep', 'keep', 'keep', 'complete']);
  });

  it('neighbouring ranges share no picture and lose none', () => {
    const pictures = Array.from({ length: 60 }, (_each, index) => picture(index * 200, index % 7 === 3));
    const kept = [0, 4_000, 8_000].flatMap((fromMs) => {
      const cut = createCutter({ fromDeviceAt: start + fromMs, untilDeviceAt: start + fromMs + 4_000 });
      const found: ReplayPicture[] = [];
      for (const each of pictures) {
        const decision = cut(each);
        if (decision === 'complete') break;
        if (decision === 'keep') found.push(each);
      }
      return found;
    });
    expect(kept).toEqual(pictures.slice(3));
  });

  it('ends a stretch at a hole, and at a clock that leaps back; B-pictures are neither', () => {
    expect(cutAll([picture(0, true), picture(200), picture(3_000, false, true)])).toEqual([
      'keep',
      'keep',
      'gap',
    ]);
    expect(cutAll([picture(0, true), picture(3_000)])).toEqual(['keep', 'keep']);
    expect(cutAll([picture(0, true), picture(5_200)])).toEqual(['keep', 'gap']);
    expect(cutAll([picture(0, true), picture(-60_000)])).toEqual(['keep', 'gap']);
    expect(cutAll([picture(0, true), picture(120), picture(40), picture(80)])).toEqual([
      'keep',
      'keep',
      'keep',
      'keep',
    ]);
  });
});
