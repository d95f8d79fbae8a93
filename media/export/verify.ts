import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { words } from '../process/words.ts';

const DECODE_DEADLINE_MS = 120_000;
const FRAMES_LIMIT = 50;
const TOLERANCE_MS = 0.5;
/** Two short decodes: more threads and a measured frame rate would only cost time. */
const OPEN_FAST = words('-threads 1 -fpsprobesize 0 -analyzeduration 0');

/**
 * Lets ffmpeg, which knows nothing of our plan, open a written clip, go to its first and its last key frame and decode from there: the
 * pictures must come at the times planned, without a complaint. Where the last ones are found hangs on every entry of the tables before
 * them. `first` and `last`: when the pictures of these groups are shown, in ms from the clip's start, the key frame's first.
 * @returns what ffmpeg was told
 * @throws MediaError `bad-output` with what differs, `cancelled`, `timeout`, `tool-missing`
 */
export async function verifyClip(
  path: string,
  ends: { first: readonly number[]; last: readonly number[] },
  options: { signal?: AbortSignal; log: Log },
): Promise<string[]> {
  const first = fromKeyFrame(ends.first).slice(0, FRAMES_LIMIT);
  const last = fromKeyFrame(ends.last);
  const found: [number[], number[]] = [[], []];
  const ticksPerS: [number, number] = [NaN, NaN];
  const readLine = (line: string) => {
    const base = /^#tb ([01]): 1\/(\d+)$/.exec(line);
    if (base) ticksPerS[Number(base[1]) as 0 | 1] = Number(base[2]);
    const frame = /^([01]),\s*-?\d+,\s*(-?\d+),/.exec(line);
    if (!frame) return;
    const index = Number(frame[1]) as 0 | 1;
    found[index].push((Number(frame[2]) * 1000) / ticksPerS[index]);
  };
  const end = await runFfmpeg(
    {
      inputs: [
        { source: path, options: [...OPEN_FAST, ...seekTo(first), ...stopAfter(first)] },
        { source: path, options: [...OPEN_FAST, ...seekTo(last)] },
      ],
      outputs: [
        {
          target: 'pipe:1',
          options: words('-map 0:v:0 -map 1:v:0 -copyts -fps_mode passthrough -enc_time_base -1 -f framecrc'),
        },
      ],
    },
    { ...options, deadlineMs: DECODE_DEADLINE_MS, onLine: readLine },
  );
  const complaints = end.stderr.filter((line) => /error|corrupt|invalid/i.test(line));
  // Where decode and presentation times drift apart a seek may land one group early; what it shows before the key frame is no concern.
  const shown = [found[0], found[1].filter((ms) => ms >= (last[0] ?? 0) - TOLERANCE_MS)];
  const isRight = isSame(first, shown[0]) && isSame(last, shown[1]);
  if (end.exitCode !== 0 || complaints.length > 0 || !isRight) {
    throw new MediaError('bad-output', 'the clip does not decode as planned', {
      stderr: end.stderr,
      expected: [first, last].map(summary),
      found: found.map(summary),
    });
  }
  return end.arguments;
}

/** The pictures that a decoder shows when it starts at the key frame, in order. */
function fromKeyFrame(shownMs: readonly number[]): number[] {
  const [keyMs = 0] = shownMs;
  return shownMs.filter((ms) => ms >= keyMs).sort((a, b) => a - b);
}

const seconds = (ms: number) => (ms / 1000).toFixed(4);

/** Input options: from the key frame itself, not from the picture before it. */
function seekTo([keyMs = 0]: readonly number[]): string[] {
  return words(`-noaccurate_seek -ss ${seconds(keyMs + 1)}`);
}

/** Input options: no further than the last of these pictures. */
function stopAfter(shownMs: readonly number[]): string[] {
  return words(`-t ${seconds((shownMs.at(-1) ?? 0) - (shownMs[0] ?? 0) + TOLERANCE_MS)}`);
}

function isSame(expected: readonly number[], found: readonly number[] | undefined): boolean {
  return (
    found !== undefined &&
    expected.length === found.length &&
    expected.every((ms, index) => Math.abs(ms - (found[index] ?? NaN)) <= TOLERANCE_MS)
  );
}

const summary = (shownMs: readonly number[]) => ({
  frames: shownMs.length,
  firstMs: shownMs[0],
  lastMs: shownMs.at(-1),
});
