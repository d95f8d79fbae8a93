import Hls, { type ErrorData } from 'hls.js';
import type { Playback } from '#api/footage/schema.ts';
import { isAbort, toApiError } from '../../lib/api.ts';
import { openPlayback, readPlayback } from './api.ts';
import { positionOf, readPlaylistTimes, type TimedFragment } from './playlist-times.ts';

/** Footage asked for at once around a chosen instant; beyond its end the next stretch is opened. */
const aheadMs = 2 * 3_600_000;
const beforeMs = 10 * 60_000;
const tickMs = 200;
const fetchPollMs = 500;

export type VodState = 'idle' | 'loading' | 'playing' | 'paused' | 'none' | 'failed';

/**
 * Plays recorded footage by wall-clock time. The instant on screen (`at`) always comes from the recording itself, never from counting, so it
 * is right across gaps.
 */
export class VodPlayer {
  state = $state<VodState>('idle');
  problem = $state<string | null>(null);
  at = $state<number | null>(null);
  isTranscoded = $state(false);
  channelId = $state<string | null>(null);
  /** 0 to 1 while footage is fetched from the device that recorded it; null otherwise. */
  fetched = $state<number | null>(null);

  readonly #video: HTMLVideoElement;
  readonly #now: () => number;
  #hls: Hls | undefined;
  #opening: AbortController | undefined;
  #fragments: readonly TimedFragment[] = [];
  #window: { fromAt: number; toAt: number } | undefined;
  #rate = 1;
  readonly #ticker: ReturnType<typeof setInterval>;

  /** @param now the server's time, epoch ms: nothing later is asked for */
  constructor(video: HTMLVideoElement, now: () => number) {
    this.#video = video;
    this.#now = now;
    video.muted = true;
    video.addEventListener('ended', () => void this.#playOn());
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#opening?.abort();
    this.#hls?.destroy();
  }

  /** Shows `channelId` at `at`; where nothing is recorded there, the next footage after it. */
  async seek(channelId: string, at: number): Promise<void> {
    if (channelId === this.channelId && this.#jump(at)) {
      await this.#start();
      return;
    }
    await this.#open(channelId, at);
  }

  /** Moves by `ms`, backwards when negative. */
  skip(ms: number): void {
    if (this.channelId !== null && this.at !== null) void this.seek(this.channelId, this.at + ms);
  }

  togglePlay(): void {
    if (this.#video.paused) void this.#start();
    else this.#video.pause();
  }

  get rate(): number {
    return this.#rate;
  }
  setRate(rate: number): void {
    this.#rate = rate;
    this.#video.playbackRate = rate;
  }

  /** The picture on screen as PNG; null before there is one. */
  async grab(): Promise<Blob | null> {
    if (this.#video.videoWidth === 0) return null;
    const canvas = document.createElement('canvas');
    canvas.width = this.#video.videoWidth;
    canvas.height = this.#video.videoHeight;
    canvas.getContext('2d')?.drawImage(this.#video, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
  }

  async #open(channelId: string, at: number): Promise<void> {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    this.channelId = channelId;
    this.state = 'loading';
    this.problem = null;
    this.fetched = null;
    this.at = at;
    const window = { fromAt: at - beforeMs, toAt: Math.min(at + aheadMs, this.#now()) };
    try {
      const playback = await openPlayback(channelId, window, at, opening.signal);
      if (opening.signal.aborted) return;
      this.#window = { fromAt: Date.parse(playback.fromAt), toAt: Date.parse(playback.toAt) };
      this.isTranscoded = (await this.#fetch(playback, opening.signal)).isTranscoded;
      await this.#load(playback.playlistUrl, at, opening.signal);
    } catch (error) {
      if (isAbort(error) || opening.signal.aborted) return;
      const failure = toApiError(error);
      this.#hls?.destroy();
      this.#hls = undefined;
      this.state = failure.code === 'footage.none' ? 'none' : 'failed';
      this.problem = failure.message;
    }
  }

  /** Waits until what only the device has is here. */
  async #fetch(opened: Playback, signal: AbortSignal): Promise<Playback> {
    let playback = opened;
    try {
      while (playback.fetching) {
        this.fetched = playback.fetching.progress;
        await new Promise((resolve) => setTimeout(resolve, fetchPollMs));
        playback = await readPlayback(playback, signal);
      }
      return playback;
    } finally {
      if (!signal.aborted) this.fetched = null;
    }
  }

  /** The playlist is read first, so that the player can begin at the very picture asked for. */
  async #load(url: string, at: number, signal: AbortSignal): Promise<void> {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`the playlist answered ${response.status}`);
    const fragments = readPlaylistTimes(await response.text());
    const startPosition = positionOf(fragments, at);
    if (startPosition === undefined) {
      this.state = 'none';
      return;
    }
    this.#fragments = fragments;
    this.#hls?.destroy();
    const hls = new Hls({ startPosition, maxBufferLength: 20, backBufferLength: 30 });
    this.#hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => void this.#start());
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      if (!data.fatal) return;
      this.state = 'failed';
      this.problem = null;
      hls.destroy();
    });
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  #jump(at: number): boolean {
    const window = this.#window;
    if (!this.#hls || !window || at < window.fromAt || at > window.toAt) return false;
    const position = positionOf(this.#fragments, at);
    if (position === undefined) return false;
    this.#video.currentTime = position;
    return true;
  }

  async #start(): Promise<void> {
    this.#video.playbackRate = this.#rate;
    try {
      await this.#video.play();
    } catch (error) {
      if (!isAbort(error)) this.problem = String(error);
    }
  }

  /** The stretch is over: goes on with the next, if time has passed since. */
  async #playOn(): Promise<void> {
    const { channelId, at } = this;
    if (channelId === null || at === null || !this.#window) return;
    const next = Math.max(at + 1, this.#window.toAt);
    if (next < this.#now() - 5_000) await this.#open(channelId, next);
    else this.state = 'paused';
  }

  #tick(): void {
    if (!this.#hls || this.state === 'failed' || this.state === 'none') return;
    const shownAt = this.#hls.playingDate?.getTime();
    if (shownAt !== undefined) this.at = shownAt;
    if (this.#video.readyState < 2) return;
    this.state = this.#video.paused ? 'paused' : 'playing';
  }
}
