import { describe, expect, it } from 'vitest';
import { createChangeDetector, pixelsInside } from './change-detector.ts';

const size = { width: 96, height: 54 };
const whole = [
  { x: 0, y: 0 },
  { x: 1, y: 0 },
  { x: 1, y: 1 },
  { x: 0, y: 1 },
];
const leftHalf = whole.map(({ x, y }) => ({ x: x / 2, y }));

/** The same numbers in every run (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A lit corridor with noise as a camera has it at night; a person 6 px wide stands at `personX` when given. */
function scene(
  random: () => number,
  options: { brightness?: number; personX?: number; noise?: number } = {},
) {
  const { brightness = 0, personX, noise = 5 } = options;
  return Uint8Array.from({ length: size.width * size.height }, (_, at) => {
    const [x, y] = [at % size.width, Math.floor(at / size.width)];
    const isPerson = personX !== undefined && x >= personX && x < personX + 6 && y >= 20 && y < 44;
    const base = isPerson ? 40 : 90 + x / 2 + (y > 30 ? 25 : 0);
    return Math.min(255, Math.max(0, Math.round(base + brightness + (random() - 0.5) * 2 * noise)));
  });
}

describe('what counts as a change', () => {
  it('is nothing in an hour of noise and slowly changing light', () => {
    const random = randomOf(1);
    const detector = createChangeDetector(size, whole);
    let changed = 0;
    for (let picture = 0; picture < 600; picture += 1)
      if (detector.next(scene(random, { brightness: 25 * Math.sin(picture / 40) })).isChanged) changed += 1;
    expect(changed).toBe(0);
  });

  it('is nothing when the exposure jumps', () => {
    const random = randomOf(2);
    const detector = createChangeDetector(size, whole);
    for (let picture = 0; picture < 60; picture += 1) detector.next(scene(random));
    expect(detector.next(scene(random, { brightness: 30 })).isChanged).toBe(false);
  });

  it('is a person in the area, in every picture that shows one, and not one outside of it', () => {
    const random = randomOf(3);
    const detector = createChangeDetector(size, leftHalf);
    for (let picture = 0; picture < 60; picture += 1) detector.next(scene(random));
    const found = Array.from(
      { length: 16 },
      (_, step) => detector.next(scene(random, { personX: step * 6 })).isChanged,
    );
    expect(found.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => true));
    expect(found.slice(9)).toEqual(Array.from({ length: 7 }, () => false));
  });

  it('ends when what came stays: a bag that was put down becomes background', () => {
    const random = randomOf(4);
    const detector = createChangeDetector(size, whole);
    for (let picture = 0; picture < 60; picture += 1) detector.next(scene(random));
    const found = Array.from({ length: 40 }, () => detector.next(scene(random, { personX: 30 })).isChanged);
    expect(found.slice(0, 6).every(Boolean)).toBe(true);
    expect(found.slice(30).some(Boolean)).toBe(false);
  });

  it('says when the whole picture changed, and goes on from the new one', () => {
    const random = randomOf(5);
    const detector = createChangeDetector(size, whole);
    for (let picture = 0; picture < 30; picture += 1) detector.next(scene(random));
    const other = (at: number) => Math.round(128 + 100 * Math.sin(at / 7));
    const turned = Uint8Array.from({ length: size.width * size.height }, (_, at) => other(at));
    expect(detector.next(turned)).toMatchObject({ isChanged: true, isWholePicture: true });
    expect(detector.next(turned)).toMatchObject({ isChanged: false, isWholePicture: false });
  });

  it('needs an area with pixels in it', () => {
    const speck = [
      { x: 0.5, y: 0.5 },
      { x: 0.501, y: 0.5 },
      { x: 0.5, y: 0.501 },
    ];
    expect(() => createChangeDetector(size, speck)).toThrow(RangeError);
    expect(pixelsInside(size, leftHalf)).toHaveLength(48 * 54);
    const triangle = pixelsInside(size, whole.slice(0, 3));
    expect(Math.abs(triangle.length - (96 * 54) / 2)).toBeLessThan(60);
  });
});
