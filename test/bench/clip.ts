import { join } from 'node:path';
import { silentLog as log } from '#media/log.ts';
import { runFfmpeg } from '#media/process/ffmpeg.ts';
import { words } from '#media/process/words.ts';

/** Writes a busy 1280x720 clip at a steady bit rate: 25 frames/s, a key frame every 2 s, as cameras are usually set. */
export async function writeClip(dir: string, options: { seconds: number; bitrate: string }): Promise<string> {
  const target = join(dir, 'clip.mp4');
  const { seconds, bitrate } = options;
  const rate = `-b:v ${bitrate} -minrate ${bitrate} -maxrate ${bitrate} -bufsize ${bitrate} -nal-hrd cbr`;
  const encoder = `-map 0:v -t ${seconds} -c:v libx264 -preset ultrafast -g 50 -sc_threshold 0 -pix_fmt yuv420p ${rate}`;
  const end = await runFfmpeg(
    {
      inputs: [{ source: 'testsrc2=size=1280x720:rate=25', options: words('-f lavfi') }],
      outputs: [{ target, options: words(encoder) }],
    },
    { log, deadlineMs: 300_000 },
  );
  if (end.exitCode !== 0) throw new Error(end.stderr.join('\n'));
  return target;
}

/** Writes `clip` again and again, without encoding, into one longer file. */
export async function loopClip(clip: string, target: string, times: number): Promise<void> {
  const end = await runFfmpeg(
    {
      inputs: [{ source: clip, options: words(`-stream_loop ${times - 1}`) }],
      outputs: [{ target, options: words('-map 0:v -c copy') }],
    },
    { log, deadlineMs: 300_000 },
  );
  if (end.exitCode !== 0) throw new Error(end.stderr.join('\n'));
}

/** The middle of the values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that `share` of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Prints a result as one line of JSON and one for people. */
export function report(result: Record<string, unknown>, line: string): void {
  process.stdout.write(`${JSON.stringify(result)}\n${line}\n`);
}
