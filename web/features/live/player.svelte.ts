import Hls, { type ErrorData } from 'hls.js';
import type { StreamKind } from '#api/devices/schema.ts';
import { isAbort, toApiError } from '../../lib/api.ts';
import { getLiveStatus, openLive } from './api.ts';

export type PlayerState = 'idle' | 'starting' | 'playing' | 'waiting' | 'failed';

const firstRetryMs = 2_000;
const longestRetryMs = 20_000;
const watchdogMs = 1_000;
/** A picture that has not moved for so long is dead even if the player thinks otherwise. */
const stallMs = 8_000;

/**
 * One live picture: asks the server for the stream, plays it, and starts again by itself when it stops. `problem` is the server's sentence
 * while there is no picture.
 */
export class LivePlayer {
  state = $state<PlayerState>('idle');
  problem = $state<string | null>(null);
  isTranscoded = $state(false);
  sourceCodec = $state<string | null>(null);
  /** Wall-clock instant of the picture on screen, epoch ms; null before the first. */
  pictureAt = $state<number | null>(null);

  readonly #video: HTMLVideoElement;
  readonly #channelId: string;
  readonly #stream: StreamKind;
  #hls: Hls | undefined;
  #opening: AbortController | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #retryMs = firstRetryMs;
  #lastPosition = -1;
  #movedAt = 0;

  constructor(video: HTMLVideoElement, channelId: string, stream: StreamKind) {
    this.#video = video;
    this.#channelId = channelId;
    this.#stream = stream;
    video.muted = true;
  }

  start(): void {
    void this.#open();
  }

  /** Frees the stream; the server stops pulling once nobody looks. */
  close(): void {
    this.#opening?.abort();
    clearTimeout(this.#retryTimer);
    this.#endPlayback();
    this.state = 'idle';
  }

  async #open(): Promise<void> {
    this.#endPlayback();
    this.state = this.state === 'failed' ? 'failed' : 'starting';
    const opening = new AbortController();
    this.#opening = opening;
    try {
      const live = await openLive(this.#channelId, this.#stream, opening.signal);
      this.isTranscoded = live.isTranscoded;
      this.sourceCodec = live.sourceCodec;
      this.#play(live.playlistUrl);
    } catch (error) {
      if (!isAbort(error) && !opening.signal.aborted) this.#fail(toApiError(error).message);
    }
  }

  #play(url: string): void {
    const hls = new Hls({
      liveSyncDurationCount: 2,
      liveMaxLatencyDurationCount: 6,
      maxLiveSyncPlaybackRate: 1.3,
      backBufferLength: 10,
      maxBufferLength: 12,
      manifestLoadPolicy: loadPolicy(15_000),
      playlistLoadPolicy: loadPolicy(8_000),
      fragLoadPolicy: loadPolicy(10_000),
    });
    this.#hls = hls;
    this.#movedAt = performance.now();
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      if (data.fatal) void this.#explain();
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#video.play().catch((error: unknown) => {
        // A muted video may play by itself; when the element was taken away meanwhile there is nothing to do.
        if (!isAbort(error)) this.#fail(String(error));
      });
    });
    hls.loadSource(url);
    hls.attachMedia(this.#video);
    this.#watchdog = setInterval(() => this.#watch(), watchdogMs);
  }

  #watch(): void {
    const position = this.#video.currentTime;
    if (position !== this.#lastPosition) {
      this.#lastPosition = position;
      this.#movedAt = performance.now();
      if (position > 0) {
        this.state = 'playing';
        this.problem = null;
        this.#retryMs = firstRetryMs;
      }
      this.pictureAt = this.#hls?.playingDate?.getTime() ?? null;
    } else if (performance.now() - this.#movedAt > stallMs) void this.#explain();
    else if (this.state === 'playing' && performance.now() - this.#movedAt > 2500) this.state = 'waiting';
  }

  /** Asks the server why there is no picture, then tries again later. */
  async #explain(): Promise<void> {
    this.#endPlayback();
    try {
      const status = await getLiveStatus(this.#channelId, this.#stream);
      this.#fail(status.state === 'failed' ? status.reason : null);
    } catch (error) {
      this.#fail(toApiError(error).message);
    }
  }

  #fail(problem: string | null): void {
    this.#endPlayback();
    this.state = 'failed';
    this.problem = problem;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#open(), this.#retryMs);
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 1.7);
  }

  #endPlayback(): void {
    clearInterval(this.#watchdog);
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#lastPosition = -1;
    this.pictureAt = null;
  }
}

function loadPolicy(maxTimeMs: number) {
  return {
    default: {
      maxTimeToFirstByteMs: maxTimeMs,
      maxLoadTimeMs: maxTimeMs,
      timeoutRetry: { maxNumRetry: 1, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry: 2, retryDelayMs: 500, maxRetryDelayMs: 2000 },
    },
  };
}
