import { fragmentRange, readFootage, type FootageSegment } from '../hls/footage.ts';
import { listKeyPlaces, type KeyPlace } from './key-pictures.ts';
import { isMediaError } from '../errors.ts';

/** One cell of a filmstrip: the instant it stands for and the picture there, undefined where nothing was recorded. */
export interface FilmCell {
  readonly at: number;
  readonly place: KeyPlace | undefined;
}

/** The middles of `count` equal parts of a range, ascending, epoch ms. */
export function spreadEvenly(range: { fromAt: number; toAt: number }, count: number): number[] {
  const partMs = (range.toAt - range.fromAt) / count;
  return Array.from({ length: count }, (_, index) => Math.round(range.fromAt + (index + 0.5) * partMs));
}

/**
 * The key frame that shows `at`: the last one at or before it, of the file that covers it; the first of the file where the file begins only just after.
 * undefined in a gap: a picture from before or after it is never put in its place.
 * @param segments in time order
 * @throws MediaError `bad-output`, `rejected`
 */
export async function findKeyPlace(
  segments: readonly FootageSegment[],
  at: number,
): Promise<KeyPlace | undefined> {
  const segment = segments.findLast(
    (each) => each.startAt <= at && (each.isOpen || at < each.startAt + each.durationMs),
  );
  if (!segment) return undefined;
  const file = await readFootage(segment);
  const end = file.fragments.at(-1);
  // An open file is covered only as far as its last finished group of pictures.
  if (!end || at >= fragmentRange(file, end).toAt) return undefined;
  return listKeyPlaces(file).findLast((place) => place.at <= at) ?? listKeyPlaces(file)[0];
}

/** Cells for `instants`, in order; a file that is gone or damaged is a hole like any other. */
export async function planFilm(
  segments: readonly FootageSegment[],
  instants: readonly number[],
): Promise<FilmCell[]> {
  const cells: FilmCell[] = [];
  for (const at of instants) {
    let place: KeyPlace | undefined;
    try {
      place = await findKeyPlace(segments, at);
    } catch (error) {
      if (!isMediaError(error, 'bad-output', 'rejected')) throw error;
    }
    cells.push({ at, place });
  }
  return cells;
}
