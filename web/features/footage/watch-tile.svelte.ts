import Hls, { type ErrorData } from 'hls.js';
import { isAbort, toApiError } from '../../lib/api.ts';
import { logDebug } from '../../lib/log.ts';
import { openPlayback } from './api.ts';
import {
  fragmentAfter,
  fragmentAt,
  instantOf,
  positionIn,
  readPlaylistTimes,
  type TimedFragment,
} from './playlist-times.ts';
import { correct } from './sync-clock.ts';
import { DigitalZoom } from './digital-zoom.svelte.ts';

/** Footage opened before the wanted instant, for steps back, and after it, for each unit of speed. */
const beforeMs = 60_000;
const aheadMs = 10 * 60_000;
const retryMs = 3_000;
/** A seek that takes longer is asked anew. */
const seekPatienceMs = 2_500;
/** At and above this speed, and in seeking playback, only key frames are sought. */
const keyFrameRate = 4;

export type TileState = 'idle' | 'loading' | 'ready' | 'gap' | 'none' | 'failed';

/** How the clock stands, for one turn of all pictures. */
export interface Beat {
  readonly at: number;
  readonly rate: number;
  readonly isRunning: boolean;
  /** Show one key frame after the other in place of playing: backwards, or where the browser does not keep up. */
  readonly isSeeking: boolean;
}

/**
 * One camera's picture, which follows the clock it is given. What it shows (`shownAt`) is always the time of the very picture on screen, told by the
 * recording, never counted.
 */
export class WatchTile {
  readonly channelId: string;
  state = $state<TileState>('idle');
  problem = $state<string | null>(null);
  shownAt = $state<number | null>(null);
  isTranscoded = $state(false);
  /** How often it had to jump to catch up since it was last asked: the sign of a browser that does not keep up. */
  jumps = 0;
  /** The enlarged part of its picture. */
  readonly zoom = new DigitalZoom();
  /** Length of one picture, as seen while playing. */
  frameMs = 40;

  readonly #now: () => number;
  #video: HTMLVideoElement | undefined;
  #hls: Hls | undefined;
  #opening: AbortController | undefined;
  #window: { fromAt: number; toAt: number } | undefined;
  #emptyUntil: { at: number; retryAt: number } | undefined;
  #fragments: readonly TimedFragment[] = [];
  #sought: { position: number; since: number } | undefined;
  #lastMediaTime: number | undefined;
  #frameCallback: number | undefined;

  /** @param now the server's time, epoch ms: nothing later is asked for */
  constructor(channelId: string, now: () => number) {
    this.channelId = channelId;
    this.#now = now;
  }

  /** Takes the element it plays in; the returned function lets it go. */
  attach(video: HTMLVideoElement): () => void {
    this.#video = video;
    video.muted = true;
    this.#watchFrames(video);
    return () => {
      if (this.#frameCallback !== undefined) video.cancelVideoFrameCallback(this.#frameCallback);
      this.#close();
      if (this.#video === video) this.#video = undefined;
    };
  }

  /** The picture's instant less the clock's, ms; null while it does not play along. */
  driftFrom(at: number): number | null {
    const shown = this.#video ? instantOf(this.#fragments, this.#video.currentTime) : undefined;
    return this.state === 'ready' && shown !== undefined ? shown - at : null;
  }

  get isWaiting(): boolean {
    const video = this.#video;
    return (
      this.state === 'loading' ||
      this.state === 'idle' ||
      (this.state === 'ready' && (!video || video.seeking || video.readyState < 3))
    );
  }

  /** The first footage after `at` that is known here. */
  nextFootage(at: number): number | undefined {
    return fragmentAfter(this.#fragments, at)?.startAt;
  }

  /** One turn: brings the picture to where the clock is. */
  follow(beat: Beat): void {
    const video = this.#video;
    if (!video) return;
    if (!this.#covers(beat.at)) {
      this.#openAt(beat.at, beat.rate);
      return;
    }
    if (!this.#hls && video.src === '') return;
    const fragment = fragmentAt(this.#fragments, beat.at);
    if (!fragment) {
      this.#waitInGap(video, beat.at);
      return;
    }
    if (this.state !== 'failed') this.state = 'ready';
    const position = positionIn(fragment, beat.at);
    if (beat.isSeeking || beat.rate < 0) {
      video.pause();
      const isSnapped = Math.abs(beat.rate) >= keyFrameRate;
      this.#seek(video, isSnapped ? fragment.startS : position);
      return;
    }
    if (!beat.isRunning) {
      video.pause();
      this.#seek(video, position);
      return;
    }
    this.#playAlong(video, beat, position);
  }

  #playAlong(video: HTMLVideoElement, beat: Beat, position: number): void {
    this.#sought = undefined;
    if (video.paused && !video.seeking) {
      if (Math.abs(video.currentTime - position) > 0.15) video.currentTime = position;
      video.playbackRate = Math.min(16, beat.rate);
      video.play().catch((error: unknown) => {
        if (!isAbort(error)) this.problem = String(error);
      });
      return;
    }
    if (video.seeking) return;
    const shown = instantOf(this.#fragments, video.currentTime);
    if (shown === undefined) return;
    const step = correct(shown - beat.at, beat.rate);
    if (step.kind === 'rate') {
      video.playbackRate = Math.min(16, Math.max(0.0625, step.rate));
      return;
    }
    this.jumps += 1;
    // The seek takes a moment in which the clock moves on.
    const lead = fragmentAt(this.#fragments, beat.at + 150 * beat.rate);
    video.currentTime = lead ? positionIn(lead, beat.at + 150 * beat.rate) : position;
  }

  #seek(video: HTMLVideoElement, position: number): void {
    const last = this.#sought;
    const isSame = last !== undefined && Math.abs(last.position - position) < 0.001;
    if (isSame) return;
    if (video.seeking && last && performance.now() - last.since < seekPatienceMs) return;
    this.#sought = { position, since: performance.now() };
    if (Math.abs(video.currentTime - position) > 0.0005) video.currentTime = position;
  }

  /** Nothing is recorded here: stands at the beginning of what comes next, so that it is loaded when the clock gets there. */
  #waitInGap(video: HTMLVideoElement, at: number): void {
    this.state = 'gap';
    this.shownAt = null;
    video.pause();
    const next = fragmentAfter(this.#fragments, at);
    if (next) this.#seek(video, next.startS);
  }

  #covers(at: number): boolean {
    const window = this.#window;
    return window !== undefined && at >= window.fromAt && at < window.toAt;
  }

  #openAt(at: number, rate: number): void {
    const empty = this.#emptyUntil;
    if (
      empty &&
      Math.abs(at - empty.at) < 1_000 * Math.max(1, Math.abs(rate)) &&
      performance.now() < empty.retryAt
    )
      return;
    if (this.#opening && this.#opening.signal.reason === undefined && this.#isOpeningFor(at)) return;
    void this.#open(at, rate);
  }

  #openingWindow: { fromAt: number; toAt: number } | undefined;
  #isOpeningFor(at: number): boolean {
    const window = this.#openingWindow;
    return window !== undefined && at >= window.fromAt && at < window.toAt;
  }

  async #open(at: number, rate: number): Promise<void> {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    const [before, ahead] =
      rate < 0
        ? [aheadMs * Math.min(8, -rate), beforeMs]
        : [beforeMs, aheadMs * Math.max(1, Math.min(8, rate))];
    const window = { fromAt: at - before, toAt: Math.max(at + 1, Math.min(at + ahead, this.#now() - 500)) };
    this.#openingWindow = window;
    this.state = 'loading';
    this.problem = null;
    try {
      const playback = await openPlayback(this.channelId, window.fromAt, window.toAt, opening.signal);
      const response = await fetch(playback.playlistUrl, { signal: opening.signal });
      if (!response.ok) throw new Error(`the playlist answered ${response.status}`);
      const fragments = readPlaylistTimes(await response.text());
      if (opening.signal.aborted) return;
      this.#emptyUntil = undefined;
      this.isTranscoded = playback.isTranscoded;
      this.#load(playback.playlistUrl, fragments, at);
      this.#window = window;
    } catch (error) {
      if (isAbort(error) || opening.signal.aborted) return;
      const failure = toApiError(error);
      this.#unload();
      this.shownAt = null;
      this.state = failure.code === 'footage.none' ? 'none' : 'failed';
      this.problem = failure.code === 'footage.none' ? null : failure.message;
      this.#emptyUntil = { at, retryAt: performance.now() + retryMs };
    } finally {
      if (this.#opening === opening) {
        this.#opening = undefined;
        this.#openingWindow = undefined;
      }
    }
  }

  #load(url: string, fragments: readonly TimedFragment[], at: number): void {
    const video = this.#video;
    if (!video) return;
    this.#unload();
    this.#fragments = fragments;
    const first = fragmentAt(fragments, at) ?? fragmentAfter(fragments, at) ?? fragments[0];
    const startPosition = first ? positionIn(first, at) : 0;
    if (!Hls.isSupported()) {
      // Safari on phones plays the playlist itself; its positions are the playlist's.
      video.src = url;
      video.currentTime = startPosition;
      return;
    }
    const hls = new Hls({ startPosition, maxBufferLength: 12, maxMaxBufferLength: 30, backBufferLength: 20 });
    this.#hls = hls;
    // hls.js learns from the media where each fragment really lies; the difference is what synchrony is lost by.
    hls.on(Hls.Events.LEVEL_PTS_UPDATED, (_event, { details }) => {
      this.#fragments = details.fragments.flatMap(({ programDateTime, start, duration }) =>
        programDateTime === null ? [] : [{ startAt: programDateTime, startS: start, durationS: duration }],
      );
    });
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      logDebug('playback', data.details);
      if (!data.fatal) return;
      this.state = 'failed';
      hls.destroy();
      if (this.#hls === hls) this.#hls = undefined;
      this.#window = undefined;
      this.#emptyUntil = { at: this.shownAt ?? at, retryAt: performance.now() + retryMs };
    });
    hls.loadSource(url);
    hls.attachMedia(video);
  }

  #unload(): void {
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#window = undefined;
    this.#fragments = [];
    this.#sought = undefined;
    if (this.#video && !Hls.isSupported()) this.#video.removeAttribute('src');
  }

  #close(): void {
    this.#opening?.abort();
    this.#unload();
  }

  /** Notes the time of every picture that reaches the screen. */
  #watchFrames(video: HTMLVideoElement): void {
    const onFrame = (_now: number, { mediaTime }: { mediaTime: number }) => {
      const elapsedMs = (mediaTime - (this.#lastMediaTime ?? mediaTime)) * 1000;
      if (elapsedMs > 5 && elapsedMs < 500 && !video.paused && video.playbackRate <= 1.3)
        this.frameMs = elapsedMs;
      this.#lastMediaTime = mediaTime;
      const at = instantOf(this.#fragments, mediaTime);
      if (at !== undefined && this.state !== 'gap' && this.state !== 'none') this.shownAt = Math.round(at);
      this.#frameCallback = video.requestVideoFrameCallback(onFrame);
    };
    this.#frameCallback = video.requestVideoFrameCallback(onFrame);
  }
}
