/** A closed outline in shares of the picture, 0..1 from its top left; a rectangle has four corners. */
export type Outline = readonly { readonly x: number; readonly y: number }[];

/** How one picture differs from the background it was compared with. */
export interface ChangeScore {
  /** Share of the area's pixels that changed, 0..1. */
  readonly share: number;
  readonly isChanged: boolean;
  /** Most of the whole picture changed at once: a light was switched, the camera turned, or its picture is broken. */
  readonly isWholePicture: boolean;
}

export interface ChangeDetector {
  /** Takes the next picture, in time order; the first only teaches the background. */
  next(picture: Uint8Array): ChangeScore;
  /** Forgets the background: what comes next has nothing to do with what came before (another size, a long hole). */
  reset(): void;
}

/** A pixel must differ by this much of 255 at least, however still the picture is: coding noise at night reaches 6. */
const LEAST_DIFFERENCE = 14;
/** … and by this many times what it usually wavers. */
const NOISE_FACTOR = 4;
/** Share of the background that each picture renews. */
const LEARNING = 0.08;
/** A changed pixel that stays the same for so many pictures becomes background: a bag that was put down. */
const SETTLED_AFTER = 8;
const WHOLE_PICTURE_SHARE = 0.6;
/** Fewer changed pixels than this are noise in any area. */
const LEAST_PIXELS = 3;
/** Calm scores that the area's own threshold is taken from. */
const CALM_WINDOW = 60;

/**
 * Compares small grey pictures with a running background, pixel by pixel, inside an outline. The brightness of the whole picture is levelled first, so
 * that clouds and auto exposure are no change; each pixel has its own noise, so that leaves and flicker weigh less; and the area must change more than it
 * usually does, by the median and spread of its own calm scores.
 * @throws RangeError when the outline holds no pixel of that size
 */
export function createChangeDetector(
  size: { width: number; height: number },
  outline: Outline,
): ChangeDetector {
  const mask = pixelsInside(size, outline);
  if (mask.length === 0) throw new RangeError('the outline holds no pixel');
  const count = size.width * size.height;
  const background = new Float32Array(count);
  const noise = new Float32Array(count);
  const settled = new Uint8Array(count);
  const before = new Uint8Array(count);
  let seen = 0;
  let calm: number[] = [];

  function learn(picture: Uint8Array): void {
    for (let at = 0; at < count; at += 1) background[at] = picture[at] ?? 0;
    noise.fill(3);
    settled.fill(0);
    before.set(picture);
    seen = 1;
  }

  return {
    reset() {
      seen = 0;
      calm = [];
    },
    next(picture) {
      if (picture.length !== count) throw new RangeError('a picture of another size');
      if (seen === 0) {
        learn(picture);
        return { share: 0, isChanged: false, isWholePicture: false };
      }
      const shift = brightnessShift(picture, background);
      const isDifferent = (at: number) =>
        Math.abs((picture[at] ?? 0) - shift - (background[at] ?? 0)) >
        Math.max(LEAST_DIFFERENCE, NOISE_FACTOR * (noise[at] ?? 0));
      let inArea = 0;
      for (const at of mask) if (isDifferent(at)) inArea += 1;
      let inAll = 0;
      for (let at = 0; at < count; at += 1) {
        const difference = (picture[at] ?? 0) - shift - (background[at] ?? 0);
        if (!isDifferent(at)) {
          background[at] = (background[at] ?? 0) + difference * LEARNING;
          noise[at] = (noise[at] ?? 0) * (1 - LEARNING) + Math.abs(difference) * LEARNING;
          settled[at] = 0;
          continue;
        }
        inAll += 1;
        const isStill = Math.abs((picture[at] ?? 0) - (before[at] ?? 0)) < LEAST_DIFFERENCE;
        settled[at] = isStill ? (settled[at] ?? 0) + 1 : 0;
        if ((settled[at] ?? 0) >= SETTLED_AFTER) {
          background[at] = (picture[at] ?? 0) - shift;
          settled[at] = 0;
        }
      }
      const isWholePicture = inAll / count > WHOLE_PICTURE_SHARE;
      before.set(picture);
      seen += 1;
      const share = inArea / mask.length;
      const isChanged = inArea >= LEAST_PIXELS && share > areaThreshold(calm);
      if (isWholePicture) learn(picture);
      if (!isChanged) calm = [...calm, share].slice(-CALM_WINDOW);
      return { share, isChanged, isWholePicture };
    },
  };
}

/** What all pixels together became brighter by: the median of the differences, which a person walking through does not move. */
function brightnessShift(picture: Uint8Array, background: Float32Array): number {
  const histogram = new Uint32Array(511);
  for (let at = 0; at < picture.length; at += 1) {
    const bin = Math.round((picture[at] ?? 0) - (background[at] ?? 0)) + 255;
    histogram[bin] = (histogram[bin] ?? 0) + 1;
  }
  let sum = 0;
  for (let bin = 0; bin < histogram.length; bin += 1) {
    sum += histogram[bin] ?? 0;
    if (sum * 2 >= picture.length) return bin - 255;
  }
  return 0;
}

/** The share that this area has to pass: well above what it does when nothing happens. */
function areaThreshold(calm: readonly number[]): number {
  if (calm.length < 5) return 0.01;
  const sorted = calm.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  const spread =
    calm.map((share) => Math.abs(share - median)).toSorted((a, b) => a - b)[calm.length >> 1] ?? 0;
  return Math.max(0.006, median + 6 * spread);
}

/** Indexes of the pixels whose middle lies inside the outline. Source: crossing number. */
export function pixelsInside(size: { width: number; height: number }, outline: Outline): Uint32Array {
  const found: number[] = [];
  for (let row = 0; row < size.height; row += 1)
    for (let column = 0; column < size.width; column += 1) {
      const x = (column + 0.5) / size.width;
      const y = (row + 0.5) / size.height;
      let isInside = false;
      for (const [index, a] of outline.entries()) {
        const b = outline[(index + 1) % outline.length] ?? a;
        const isCrossing = a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x;
        if (isCrossing) isInside = !isInside;
      }
      if (isInside) found.push(row * size.width + column);
    }
  return Uint32Array.from(found);
}
