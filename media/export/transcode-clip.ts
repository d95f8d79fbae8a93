import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { MediaError } from '../errors.ts';
import type { WallRange } from '../hls/footage.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { ffmpegVersion } from '../process/tools.ts';
import { words } from '../process/words.ts';
import { wallMs, type WallMs } from '../time.ts';
import { checkSpace, nameParts, type ClipFile, type ClipResult, type ExportOptions } from './export-clip.ts';
import { listFrames, type Frame } from './frames.ts';
import { layOutClip, type ClipLayout } from './layout.ts';
import { captionTrack, filterValue, hideRegions, type PictureRegion } from './overlay.ts';
import { planClip, type ClipPart } from './plan.ts';
import { sumFile } from './sums.ts';
import { readClip } from './write.ts';

export interface TranscodeOptions extends ExportOptions {
  /** Words on every picture, below the time: camera and case. From people and cameras; any text is safe. */
  caption: string;
  /** What a clock in the picture shows at an instant. */
  formatTime: (at: WallMs) => string;
  /** Made unrecognisable in every picture. */
  hidden: readonly PictureRegion[];
}

const DEADLINE_MS = 24 * 3_600_000;
const TOLERANCE_MS = 0.5;
/** Room that is asked for: a transcode of this quality seldom needs more than its source. */
const SIZE_SHARE = 1.5;

/**
 * Re-encodes a range of footage, exact to the frame: the clip holds the pictures taken at or after `fromAt` and before `toAt`, each with its
 * own wall time, which runs on rightly over holes. The source goes to ffmpeg through a pipe, no copy of it is written. Each file is read again
 * and must hold the planned pictures at the planned times before it gets its name. Safe to repeat.
 * @throws MediaError `no-media`, `no-space`, `rejected` (footage gone), `bad-output`, `cancelled`, `tool-missing`
 */
export async function transcodeClip(options: TranscodeOptions): Promise<ClipResult> {
  const { segments, fromAt, toAt, out } = options;
  if (!(fromAt < toAt)) throw new MediaError('rejected', 'the range is empty');
  const plan = await planClip(segments, { fromAt, toAt });
  await mkdir(dirname(out), { recursive: true });
  await checkSpace(dirname(out), SIZE_SHARE * plan.parts.reduce((sum, part) => sum + part.sizeBytes, 0));
  const laidOut = [];
  for (const part of plan.parts) {
    const layout = await layOutClip(part, new Date(fromAt));
    const frames = listFrames(part, layout).filter(({ takenAt }) => takenAt >= fromAt && takenAt < toAt);
    if (frames.length > 0) laidOut.push({ part, layout, frames });
  }
  if (laidOut.length === 0) throw new MediaError('no-media', 'nothing was recorded in that range');
  const total = laidOut.reduce((sum, { frames }) => sum + frames.length, 0);
  const names = nameParts(
    laidOut.map(({ part }) => part),
    out,
  );
  const works = laidOut.map((work, index) => ({ ...work, ...(names[index] as (typeof names)[number]) }));
  let doneFrames = 0;
  try {
    const files: ClipFile[] = [];
    for (const work of works) {
      const onFrames = (count: number) => options.onProgress?.({ done: (doneFrames + count) / total });
      files.push(await encode(work, options, onFrames));
      doneFrames += work.frames.length;
    }
    for (const { file, temporary } of works) await rename(temporary, file);
    return {
      files,
      covered: plan.covered
        .map((span) => cut(span, { fromAt, toAt }))
        .filter((span) => span.fromAt < span.toAt),
      gaps: plan.gaps,
      leadMs: 0,
      tailMs: 0,
      ffmpegVersion: await ffmpegVersion(),
    };
  } catch (error) {
    await Promise.all(works.map(({ temporary }) => rm(temporary, { force: true })));
    throw error;
  }
}

async function encode(
  work: { part: ClipPart; layout: ClipLayout; frames: Frame[]; file: string; temporary: string },
  options: TranscodeOptions,
  onFrames: (count: number) => void,
): Promise<ClipFile> {
  const { part, layout, frames, file, temporary } = work;
  const { width, height } = part.init.video;
  const [first, last] = [frames[0], frames.at(-1)];
  if (!first || !last || width === undefined || height === undefined)
    throw new MediaError('bad-output', 'the footage does not say how large its pictures are');
  const track = `${file}.ass.part`;
  const captions = frames.map(({ shownMs, takenAt }) => ({
    shownMs,
    text: options.formatTime(wallMs(Math.round(takenAt))),
  }));
  const endMs = layout.shownMs.reduce((most, ms) => Math.max(most, ms), 0) + 1_000;
  await writeFile(track, captionTrack(captions, options.caption, { width, height, endMs }));
  const seconds = (ms: number) => (ms / 1000).toFixed(5);
  const [fromS, toS] = [seconds(first.shownMs - TOLERANCE_MS), seconds(last.shownMs + TOLERANCE_MS)];
  const hasAudio = part.init.audio !== undefined;
  // `select`, not `trim`: trim would end the output while its source is still being written to the pipe.
  const graph = [
    `[0:v:0]select=between(t\\,${fromS}\\,${toS})[chosen]`,
    hideRegions(options.hidden, { width, height }, { from: 'chosen', to: 'safe' }),
    `[safe]ass=filename=${filterValue(track)},setpts=PTS-STARTPTS,format=yuv420p[v]`,
    ...(hasAudio
      ? [`[0:a:0]atrim=start=${fromS}:end=${toS},asetpts=PTS-${seconds(first.shownMs)}/TB[a]`]
      : []),
  ].join(';');
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
            options: [
              '-filter_complex',
              graph,
              ...words(
                '-map [v] -c:v libx264 -preset veryfast -crf 20 -fps_mode passthrough -enc_time_base -1',
              ),
              ...(hasAudio ? words('-map [a] -c:a aac -b:a 64k') : []),
              ...words('-map_metadata -1 -fflags +bitexact -movflags +faststart -f mp4 -y'),
            ],
          },
        ],
      },
      {
        log: options.log,
        deadlineMs: DEADLINE_MS,
        onProgress: (progress) => onFrames(Math.min(progress.frames ?? 0, frames.length)),
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
    if (end.exitCode !== 0)
      throw new MediaError('bad-output', 'the clip could not be encoded', { stderr: end.stderr });
    await checkTimes(temporary, frames, options);
    await syncFile(temporary);
    return {
      file,
      ...(await sumFile(temporary, options.signal)),
      durationMs: Math.round(last.shownMs - first.shownMs + meanStep(frames)),
      frameCount: frames.length,
      videoCodec: 'h264',
      hasAudio,
      arguments: end.arguments,
    };
  } finally {
    await rm(track, { force: true });
  }
}

/** Reads an encoded file's picture times back: as many as planned, each where it should be. @throws MediaError `bad-output` */
async function checkTimes(path: string, frames: readonly Frame[], options: TranscodeOptions): Promise<void> {
  const found: number[] = [];
  let ticksPerS = NaN;
  const end = await runFfmpeg(
    {
      inputs: [{ source: path }],
      outputs: [{ target: 'pipe:1', options: words('-map 0:v:0 -c copy -copyts -f framecrc') }],
    },
    {
      log: options.log,
      deadlineMs: DEADLINE_MS,
      ...(options.signal ? { signal: options.signal } : {}),
      onLine: (line) => {
        const base = /^#tb 0: 1\/(\d+)$/.exec(line);
        if (base) ticksPerS = Number(base[1]);
        const packet = /^0,\s*-?\d+,\s*(-?\d+),/.exec(line);
        if (packet) found.push((Number(packet[1]) * 1000) / ticksPerS);
      },
    },
  );
  found.sort((a, b) => a - b);
  const zero = frames[0]?.shownMs ?? 0;
  const zeroFound = found[0] ?? 0;
  const isRight =
    end.exitCode === 0 &&
    found.length === frames.length &&
    frames.every(({ shownMs }, index) => Math.abs((found[index] ?? NaN) - zeroFound - (shownMs - zero)) <= 1);
  if (!isRight)
    throw new MediaError('bad-output', 'the clip does not hold the pictures that were asked for', {
      expected: frames.length,
      found: found.length,
      stderr: end.stderr,
    });
}

/** What one picture lasts, so that the last one counts too. */
function meanStep(frames: readonly Frame[]): number {
  const [first, last] = [frames[0], frames.at(-1)];
  if (!first || !last || frames.length < 2) return 0;
  return (last.shownMs - first.shownMs) / (frames.length - 1);
}

function cut(span: WallRange, range: WallRange): WallRange {
  return {
    fromAt: wallMs(Math.max(span.fromAt, range.fromAt)),
    toAt: wallMs(Math.min(span.toAt, range.toAt)),
  };
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
