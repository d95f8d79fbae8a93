import { mkdir, rm, unlink } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import type { Clock } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { startFfmpeg } from '../process/ffmpeg.ts';
import { supervise } from '../process/supervisor.ts';
import type { ClosedSegment } from '../recorder/close-segment.ts';
import { segmentOutput } from '../recorder/pull-command.ts';
import { newRunId } from '../recorder/segment-names.ts';
import { createSegmentWriter, type OpenSegment } from '../recorder/segment-writer.ts';
import type { TailSource } from './fragment-tail.ts';
import type { LiveStream } from './live-stream.ts';
import { H264_FALLBACK } from './transcode.ts';

/** A live transcode: it is tailed like a recorder. */
export interface LiveTranscode extends TailSource {
  /** Why there is no picture at the moment, or undefined. */
  failure(): MediaError | undefined;
  stop(): Promise<void>;
}

const SEGMENT_MS = 10_000;
const KEEP_SEGMENTS = 2;

/** Feeds the fragments of a live H.265 stream to one ffmpeg, whose H.264 files lie in `dir` until `stop`. */
export function createLiveTranscode(options: {
  upstream: LiveStream;
  dir: string;
  clock: Clock;
  log: Log;
}): LiveTranscode {
  const { upstream, dir, clock, log } = options;
  let current: OpenSegment | undefined;
  let previous: ClosedSegment | undefined;
  let offsetMs: number | undefined;
  let kept: string[] = [];

  const onClosed = (segment: ClosedSegment) => {
    previous = segment;
    kept.push(segment.file);
    for (const file of kept.slice(0, -KEEP_SEGMENTS)) {
      unlink(file).catch((error: unknown) =>
        log.warn({ err: error, file }, 'an old live file could not be deleted'),
      );
    }
    kept = kept.slice(-KEEP_SEGMENTS);
  };

  const supervisor = supervise({
    clock,
    log,
    async run({ signal, markRunning }) {
      await mkdir(dir, { recursive: true });
      const runId = newRunId(clock.now());
      const writer = createSegmentWriter({
        dir,
        runId,
        isFlat: true,
        offsetMs: () => offsetMs ?? clock.now(),
        log,
        onOpened: (segment) => (current = segment),
        onClosed,
      });
      const feed = new PassThrough();
      const output = segmentOutput({ dir, runId, segmentMs: SEGMENT_MS, codec: 'h264' });
      const ffmpeg = startFfmpeg(
        {
          inputs: [{ source: feed, options: ['-copyts', '-fpsprobesize', '0', '-f', 'mp4'] }],
          outputs: [
            {
              target: output.target,
              options: [...H264_FALLBACK, '-force_key_frames', 'source', '-c:a', 'copy', ...output.options],
            },
          ],
        },
        { signal, log, onLine: (line) => writer.onListLine(line) },
      );
      const isOver = new AbortController();
      const ended = ffmpeg.done.finally(() => isOver.abort());
      ended.catch((error: unknown) => log.debug({ err: error }, 'the live transcode ended'));
      try {
        let setup: string | undefined;
        for await (const each of upstream.follow(AbortSignal.any([signal, isOver.signal]))) {
          const key = `${each.runId} ${each.initNumber}`;
          if (setup !== undefined && (key !== setup || each.isDiscontinuity)) break; // another time line: a new ffmpeg
          if (setup === undefined) feed.write(each.init.bytes);
          setup = key;
          if (each.startAt !== undefined) offsetMs = each.startAt - each.fragment.startMs;
          if (!feed.write(await upstream.fragment(each.number)))
            await Promise.race([once(feed, 'drain'), ended]);
          markRunning();
        }
        feed.end();
        if (signal.aborted) await ffmpeg.stop();
        const end = await ended;
        if (signal.aborted) return;
        throw errorFromStderr(end.stderr, { code: 'no-media', message: 'the transcoded stream ended' });
      } finally {
        await ffmpeg.stop();
        await writer.finish();
        current = undefined;
        previous = undefined;
      }
    },
  });

  return {
    current: () => current,
    previous: () => previous,
    anchor: () => (offsetMs === undefined ? undefined : { offsetMs }),
    failure() {
      const state = supervisor.state();
      return state.name === 'waiting' ? state.cause : undefined;
    },
    async stop() {
      await supervisor.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
