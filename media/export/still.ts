import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { MediaError } from '../errors.ts';
import type { FootageSegment } from '../hls/footage.ts';
import type { Log } from '../log.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { ffmpegVersion } from '../process/tools.ts';
import { words } from '../process/words.ts';
import { wallMs, type WallMs } from '../time.ts';
import type { ClipResult } from './export-clip.ts';
import { listFrames } from './frames.ts';
import { layOutClip } from './layout.ts';
import { planClip } from './plan.ts';
import { sumFile } from './sums.ts';
import { readClip } from './write.ts';

const DEADLINE_MS = 60_000;
const SELECT_MS = 0.5;

/** Where a still is taken from and where it goes. */
export interface StillOptions {
  /** In time order, of one stream, as far as they touch the instant. */
  segments: readonly FootageSegment[];
  at: WallMs;
  /** Absolute path; its folder is created. */
  out: string;
  signal?: AbortSignal;
  log: Log;
}

/**
 * The picture that was in view at an instant, whole and without loss, as PNG: the last one taken at or before it. Decodes one group of pictures.
 * The result is that of an export, `covered` from the picture's own instant to the one asked for.
 * @throws MediaError `no-media` (nothing recorded then), `rejected` (footage gone), `bad-output`, `cancelled`, `tool-missing`
 */
export async function takeStill(options: StillOptions): Promise<ClipResult> {
  const { segments, at, out } = options;
  const plan = await planClip(segments, { fromAt: at, toAt: wallMs(at + 1) });
  const [part] = plan.parts;
  if (!part) throw new MediaError('no-media', 'nothing was recorded then');
  const layout = await layOutClip(part, new Date(at));
  const frame = listFrames(part, layout).findLast(({ takenAt }) => Math.round(takenAt) <= at);
  if (!frame) throw new MediaError('no-media', 'nothing was recorded then');
  await mkdir(dirname(out), { recursive: true });
  const temporary = `${out}.part`;
  const seconds = (ms: number) => (ms / 1000).toFixed(5);
  const window = [frame.shownMs - SELECT_MS, frame.shownMs + SELECT_MS].map(seconds).join('\\,');
  try {
    const end = await runFfmpeg(
      {
        inputs: [
          {
            source: Readable.from(readClip(layout), { objectMode: false }),
            options: words('-copyts -f mp4'),
          },
        ],
        outputs: [
          {
            target: temporary,
            options: words(
              `-map 0:v:0 -vf select=between(t\\,${window}) -fps_mode passthrough -c:v png -fflags +bitexact -f image2 -update 1 -y`,
            ),
          },
        ],
      },
      {
        log: options.log,
        deadlineMs: DEADLINE_MS,
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
    const sums = end.exitCode === 0 ? await sumFile(temporary, options.signal) : undefined;
    if (!sums || sums.sizeBytes === 0)
      throw new MediaError('bad-output', 'the picture could not be decoded', { stderr: end.stderr });
    await rename(temporary, out);
    const takenAt = wallMs(Math.round(frame.takenAt));
    return {
      files: [
        {
          file: out,
          ...sums,
          durationMs: 0,
          frameCount: 1,
          videoCodec: part.init.video.codec === 'h265' ? 'h265' : 'h264',
          hasAudio: false,
          arguments: end.arguments,
        },
      ],
      covered: [{ fromAt: takenAt, toAt: at }],
      gaps: [],
      leadMs: 0,
      tailMs: 0,
      ffmpegVersion: await ffmpegVersion(),
    };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
