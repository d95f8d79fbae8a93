import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createRecorder, type Recorder } from '../recorder/recorder.ts';
import type { StreamSource } from '../source.ts';
import { createLiveStream, type LiveStream } from './live-stream.ts';
import { createLiveTranscode } from './live-transcode.ts';

/** Where a live picture comes from: the recorder that pulls the stream anyway, or a pull of its own. */
export type LiveTarget = { recorder: Recorder } | { source: StreamSource };

export interface LiveHub {
  /**
   * The shared live stream; the first call starts it, later calls return the same. `h264` is the transcode for browsers that
   * cannot play H.265: at most 1280 wide, one ffmpeg for all its viewers. It is for the caller to say so on the screen.
   * Viewers are known by their requests: a stream that nobody asked for during `idleMs` is stopped.
   * @throws whatever `getTarget` throws; MediaError `rejected` when too many streams are transcoded
   */
  open(streamId: string, variant?: 'original' | 'h264'): Promise<LiveStream>;
  /** What is being watched. */
  active(): { streamId: string; variant: 'original' | 'h264'; isOwnPull: boolean; idleMs: number }[];
  close(): Promise<void>;
}

interface Entry {
  streamId: string;
  variant: 'original' | 'h264';
  isOwnPull: boolean;
  stream: LiveStream;
  stop: () => Promise<void>;
}

const CHECK_MS = 1_000;
const LIVE_SEGMENT_MS = 10_000;
const KEEP_SEGMENTS = 2;

/**
 * Shares live pictures among viewers. Costs nothing for a stream that nobody watches.
 * `dir` is the hub's own: it is emptied at the first use, since a killed server leaves files there.
 */
export function createLiveHub(options: {
  getTarget: (streamId: string) => LiveTarget | Promise<LiveTarget>;
  dir: string;
  idleMs: number;
  maxTranscodes: number;
  clock: Clock;
  log: Log;
}): LiveHub {
  const { clock, log, dir } = options;
  const entries = new Map<string, Promise<Entry>>();
  const ready = new Map<string, Entry>();
  let serial = 0;
  let isClosed = false;
  let cancelCheck: (() => void) | undefined;

  const emptied = rm(dir, { recursive: true, force: true });
  /** A folder that no other pull of this hub uses, whatever characters an id has. */
  const newFolder = async () => {
    await emptied;
    serial += 1;
    return join(dir, String(serial));
  };

  const startOriginal = async (streamId: string): Promise<Entry> => {
    const target = await options.getTarget(streamId);
    const isOwnPull = 'source' in target;
    const child = log.child({ streamId });
    const recorder = isOwnPull
      ? createRecorder({
          source: target.source,
          dir: await newFolder(),
          segmentMs: LIVE_SEGMENT_MS,
          keepSegments: KEEP_SEGMENTS,
          clock,
          log: child,
        })
      : target.recorder;
    const failure = () => {
      const state = recorder.state();
      if (state.name === 'waiting' || state.name === 'disk-full') return state.cause;
      return state.name === 'stopped' ? new MediaError('cancelled', 'the stream was stopped') : undefined;
    };
    const stream = createLiveStream({ source: recorder, failure, clock, log: child });
    const stop = async () => {
      await stream.close();
      if (isOwnPull) await recorder.discard();
    };
    return { streamId, variant: 'original', isOwnPull, stream, stop };
  };

  const startTranscode = async (streamId: string): Promise<Entry> => {
    const running = [...ready.values()].filter((entry) => entry.variant === 'h264').length;
    if (running >= options.maxTranscodes) {
      throw new MediaError('rejected', 'too many streams are being transcoded', {
        limit: options.maxTranscodes,
      });
    }
    const upstream = await open(streamId, 'original');
    const child = log.child({ streamId, variant: 'h264' });
    const transcode = createLiveTranscode({ upstream, dir: await newFolder(), clock, log: child });
    const stream = createLiveStream({
      source: transcode,
      failure: () => transcode.failure(),
      clock,
      log: child,
    });
    const stop = async () => {
      await stream.close();
      await transcode.stop();
    };
    return { streamId, variant: 'h264', isOwnPull: false, stream, stop };
  };

  const open = async (streamId: string, variant: 'original' | 'h264'): Promise<LiveStream> => {
    if (isClosed) throw new MediaError('cancelled', 'the live hub is closed');
    const key = `${variant} ${streamId}`;
    let entry = entries.get(key);
    if (!entry) {
      entry = variant === 'h264' ? startTranscode(streamId) : startOriginal(streamId);
      entries.set(key, entry);
      entry.then(
        (started) => ready.set(key, started),
        () => entries.delete(key), // the caller gets the error; the next viewer tries again
      );
    }
    return (await entry).stream;
  };

  const drop = async (key: string, entry: Entry) => {
    entries.delete(key);
    ready.delete(key);
    await entry.stop();
    log.info({ streamId: entry.streamId, variant: entry.variant }, 'live stream stopped');
  };

  const check = () => {
    for (const [key, entry] of ready) {
      if (clock.monotonic() - entry.stream.usedAt() < options.idleMs) continue;
      drop(key, entry).catch((error: unknown) =>
        log.error({ err: error }, 'a live stream could not be stopped'),
      );
    }
    cancelCheck = clock.after(CHECK_MS, check);
  };
  check();

  return {
    open: (streamId, variant = 'original') => open(streamId, variant),
    active: () =>
      [...ready.values()].map(({ streamId, variant, isOwnPull, stream }) => ({
        streamId,
        variant,
        isOwnPull,
        idleMs: Math.round(clock.monotonic() - stream.usedAt()),
      })),
    async close() {
      isClosed = true;
      cancelCheck?.();
      await Promise.allSettled([emptied, ...entries.values()]);
      await Promise.all([...ready].map(([key, entry]) => drop(key, entry)));
    },
  };
}
