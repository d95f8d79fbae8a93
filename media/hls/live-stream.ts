import type { Clock } from '../clock.ts';
import { pause } from '../clock.ts';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createFragmentTail, type LiveFragment, type TailSource } from './fragment-tail.ts';
import { livePlaylist, longestFragmentMs } from './live-playlist.ts';

/** A stream that somebody watches. All viewers share it. */
export interface LiveStream {
  /**
   * The playlist as of now; waits for the first fragment when the stream has just been started. Asking keeps the stream alive.
   * @throws MediaError why there is no picture (`unreachable`, `unauthorized`, …), `timeout` when none came in time
   */
  playlist(): Promise<string>;
  /** An init segment named in a playlist, or undefined. */
  init(initNumber: number): Buffer | undefined;
  /** A fragment's bytes. @throws MediaError `rejected` when it has left the window */
  fragment(number: number): Promise<Buffer>;
  /** Fragments from the newest key frame on, as they come, until `signal` aborts; for a transcoder. Keeps the stream alive. */
  follow(signal: AbortSignal): AsyncGenerator<LiveFragment>;
  /** RFC 6381 strings of the newest fragment, or undefined before the first. */
  codecs(): string | undefined;
  /** Monotonic ms of the last request. */
  usedAt(): number;
  close(): Promise<void>;
}

const POLL_MS = 150;
const WINDOW = 10;
const FIRST_FRAGMENT_MS = 15_000;

/** Follows `source` while it is used. `failure` says why there is no picture at the moment, if the source knows. */
export function createLiveStream(options: {
  source: TailSource;
  failure: () => MediaError | undefined;
  clock: Clock;
  log: Log;
}): LiveStream {
  const { source, clock, log } = options;
  const tail = createFragmentTail({ source, windowSize: WINDOW, log });
  let usedAt = clock.monotonic();
  let longestMs = 0;
  const life = new AbortController();
  let cancelPoll: (() => void) | undefined;
  const touch = () => {
    usedAt = clock.monotonic();
  };
  const loop = async () => {
    await tail.poll();
    longestMs = Math.max(longestMs, longestFragmentMs(tail.window()));
    if (!life.signal.aborted) cancelPoll = clock.after(POLL_MS, () => void loop());
  };
  void loop();

  const untilFirst = async () => {
    const giveUpAt = clock.monotonic() + FIRST_FRAGMENT_MS;
    while (tail.window().length === 0) {
      touch(); // somebody waits: a slow start is not idleness
      const failure = options.failure();
      if (failure) throw failure;
      if (life.signal.aborted) throw new MediaError('cancelled', 'the stream was stopped');
      if (clock.monotonic() > giveUpAt) throw new MediaError('timeout', 'no picture came in time');
      await pause(clock, POLL_MS / 3);
    }
  };

  return {
    async playlist() {
      touch();
      await untilFirst();
      touch();
      const discontinuitySequence = tail.droppedDiscontinuities();
      return livePlaylist({ entries: tail.window(), discontinuitySequence, longestMs });
    },
    init: (number) => tail.init(number),
    fragment(number) {
      touch();
      return tail.read(number);
    },
    async *follow(signal) {
      let next: number | undefined;
      while (!signal.aborted && !life.signal.aborted) {
        touch();
        const window = tail.window();
        next ??= window.findLast((each) => each.fragment.isKey)?.number;
        for (const each of window) {
          if (next === undefined || each.number < next) continue;
          next = each.number + 1;
          yield each;
        }
        await pause(clock, POLL_MS / 2, signal);
      }
    },
    codecs: () => tail.window().at(-1)?.init.codecs,
    usedAt: () => usedAt,
    async close() {
      life.abort();
      cancelPoll?.();
      await tail.close();
    },
  };
}
