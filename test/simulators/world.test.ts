import { describe, expect, it } from 'vitest';
import { deviceSpecs } from './device-specs.ts';
import { decodeStamp } from './frame-stamp.ts';
import { drawPlan, readPlan } from './plans/draw.ts';
import { world } from './world.ts';

describe('world', () => {
  it.each(world.floors.map((floor) => [floor.id, floor] as const))(
    'plan %s is what draw.ts draws',
    (_id, floor) => {
      expect(readPlan(floor)).toBe(drawPlan(floor));
    },
  );

  it('every channel has its own number and stands in a room of its floor', () => {
    const channels = deviceSpecs.flatMap((d) => d.channels);
    expect(new Set(channels.map((c) => c.number)).size).toBe(channels.length);
    for (const { name, place } of channels) {
      const floor = world.floors.find((f) => f.id === place.floorId)!;
      const room = floor.rooms.find(
        (r) => place.x >= r.x && place.x <= r.x + r.width && place.y >= r.y && place.y <= r.y + r.height,
      );
      expect(room ?? (floor.id === 'site' && 'outdoors'), name).toBeTruthy();
    }
  });

  it('has at least 14 cameras and an NVR of eight channels, each on its own address', () => {
    expect(deviceSpecs.filter((d) => d.kind === 'camera').length).toBeGreaterThanOrEqual(14);
    expect(deviceSpecs.find((d) => d.kind === 'nvr')?.channels).toHaveLength(8);
    expect(new Set(deviceSpecs.map((d) => d.host)).size).toBe(deviceSpecs.length);
  });
});

/** Frame 1 of camera 1, as rtsp/picture.py writes it: sync, 24 bits frame, 8 bits camera, check bits. */
const bits = ['10', '000000000000000000000001', '00000001', '011011'].join('');
const cells = (text: string): Uint8Array => Uint8Array.from(text, (b) => (b === '1' ? 210 : 30));

describe('decodeStamp', () => {
  it('reads the frame and the camera', () => {
    expect(decodeStamp(cells(bits))).toEqual({ frame: 1, cameraId: 1 });
  });

  it('refuses a flipped bit, a flat strip and one of another length', () => {
    for (let i = 2; i < 40; i++) {
      const flipped = bits.slice(0, i) + (bits[i] === '1' ? '0' : '1') + bits.slice(i + 1);
      expect(decodeStamp(cells(flipped))).toBeNull();
    }
    expect(decodeStamp(new Uint8Array(40).fill(16))).toBeNull();
    expect(decodeStamp(cells(bits.slice(1)))).toBeNull();
  });
});
