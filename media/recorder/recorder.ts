import { mkdir, rm, unlink } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { supervise, type SupervisorState } from '../process/supervisor.ts';
import { checkedUrl, type StreamSource } from '../source.ts';
import type { ClosedSegment } from './close-segment.ts';
import { runPull, type AnchorFact } from './pull.ts';
import { newRunId } from './segment-names.ts';
import type { OpenSegment } from './segment-writer.ts';

/**
 * `recording`: pictures arrive. `waiting`: the last run ended for `cause`, the next starts at `retryAt` (epoch ms).
 * `disk-full`: the same, because nothing could be written; finished segments are untouched.
 */
export type RecorderState =
  | { name: 'starting' }
  | { name: 'recording' }
  | { name: 'waiting' | 'disk-full'; cause: MediaError; retryAt: number }
  | { name: 'stopped' };

export interface RecorderMetrics {
  segments: number;
  /** Bytes of finished segments. */
  sizeBytes: number;
  restarts: number;
}

export interface RecorderOptions {
  source: StreamSource;
  /** Created if missing. Finished segments lie in one folder a UTC day below it. No other recorder may use it. */
  dir: string;
  /** Files end at the first key frame after this. */
  segmentMs?: number;
  /** No new picture for this long ends the run. */
  stallMs?: number;
  /** Keeps only the newest files, flat in `dir`, for streams that are watched and not recorded. */
  keepSegments?: number;
  clock: Clock;
  log: Log;
  onState?: (state: RecorderState) => void;
  onSegmentOpened?: (segment: OpenSegment) => void;
  /** A file is finished, checked and renamed: index it. */
  onSegmentClosed?: (segment: ClosedSegment) => void;
  onAnchor?: (anchor: AnchorFact) => void;
}

/** Keeps one pull of one stream going. It never deletes footage, except beyond `keepSegments`. */
export interface Recorder {
  state(): RecorderState;
  /** The file being written, or undefined between runs. */
  current(): OpenSegment | undefined;
  /** The newest finished segment of the run under way, for a viewer that comes just after a new file began. */
  previous(): ClosedSegment | undefined;
  /** The newest anchor of the run under way, or undefined before its first picture. */
  anchor(): AnchorFact | undefined;
  metrics(): RecorderMetrics;
  /** Finishes the open file and waits until ffmpeg is gone. Safe to repeat. */
  stop(): Promise<void>;
  /** Stops and deletes the folder; only for a recorder with `keepSegments`. @throws MediaError `rejected` for others */
  discard(): Promise<void>;
}

const SEGMENT_MS = 60_000;
const STALL_MS = 10_000;

/**
 * Starts recording a stream. Part files of dead runs in `dir` are not touched: call recoverSegments first.
 * @throws MediaError `not-supported` for a source that is not RTSP
 */
export function createRecorder(options: RecorderOptions): Recorder {
  const { source, dir, clock, log, keepSegments } = options;
  checkedUrl(source);
  let current: OpenSegment | undefined;
  let previous: ClosedSegment | undefined;
  let anchor: AnchorFact | undefined;
  let kept: string[] = [];
  const metrics = { segments: 0, sizeBytes: 0 };

  const onClosed = (segment: ClosedSegment) => {
    previous = segment;
    metrics.segments += 1;
    metrics.sizeBytes += segment.sizeBytes;
    options.onSegmentClosed?.(segment);
    if (keepSegments === undefined) return;
    kept.push(segment.file);
    for (const file of kept.slice(0, -keepSegments)) {
      unlink(file).catch((error: unknown) =>
        log.warn({ err: error, file }, 'an old live file could not be deleted'),
      );
    }
    kept = kept.slice(-keepSegments);
  };

  const supervisor = supervise({
    clock,
    log,
    onState: (state) => options.onState?.(toRecorderState(state)),
    async run({ signal, markRunning }) {
      await mkdir(dir, { recursive: true });
      try {
        await runPull({
          source,
          dir,
          runId: newRunId(clock.now()),
          segmentMs: options.segmentMs ?? SEGMENT_MS,
          stallMs: options.stallMs ?? STALL_MS,
          isFlat: keepSegments !== undefined,
          clock,
          log,
          signal,
          onMedia: markRunning,
          onOpened(segment) {
            current = segment;
            options.onSegmentOpened?.(segment);
          },
          onClosed,
          onAnchor(fact) {
            anchor = fact;
            options.onAnchor?.(fact);
          },
        });
      } finally {
        current = undefined;
        previous = undefined;
        anchor = undefined;
      }
    },
  });

  return {
    state: () => toRecorderState(supervisor.state()),
    current: () => current,
    previous: () => previous,
    anchor: () => anchor,
    metrics: () => ({ ...metrics, restarts: supervisor.restarts() }),
    stop: () => supervisor.stop(),
    async discard() {
      if (keepSegments === undefined) throw new MediaError('rejected', 'recorded footage is not discarded');
      await supervisor.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function toRecorderState(state: SupervisorState): RecorderState {
  if (state.name === 'running') return { name: 'recording' };
  if (state.name !== 'waiting') return state;
  return { ...state, name: state.cause.code === 'no-space' ? 'disk-full' : 'waiting' };
}
