import { mediaMs, type MediaMs } from '../time.ts';

const TICKS_A_SECOND = 90_000;

/**
 * Reads the lines that a pull's second output prints, one for each key frame: `0, dts, pts, duration, size, crc`, in RTP's
 * 90 kHz. Returns a function that gives the key frame's time on the run's time line, or undefined for any other line.
 * The files' times are later by what makes the run's first decode time 0, so the first line says the shift.
 */
export function keyFrameLines(): (line: string) => MediaMs | undefined {
  let shift: number | undefined;
  return (line) => {
    const [, decode, presentation] = /^0, *(-?\d+), *(-?\d+), /.exec(line) ?? [];
    if (decode === undefined || presentation === undefined) return undefined;
    shift ??= Math.max(0, -Number(decode));
    return mediaMs(((Number(presentation) + shift) * 1000) / TICKS_A_SECOND);
  };
}
