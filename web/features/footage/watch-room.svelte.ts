import { SyncClock } from './sync-clock.ts';
import { WatchTile, type Beat } from './watch-tile.svelte.ts';

const turnMs = 50;
/** The address and the time line follow the clock so often. */
const tellMs = 200;
/** How long all wait for one that loads: after a jump, and when one runs dry while playing. */
const startPatienceMs = 4_000;
const dryPatienceMs = 2_500;
const dryAfterMs = 700;
/** So many jumps to catch up within this time: the browser does not keep up. */
const strainWindowMs = 4_000;
const strainJumps = 4;
/** Slower than this every picture is played whatever it takes. */
const keyFramesFromRate = 4;

export type RoomState = 'idle' | 'loading' | 'playing' | 'paused' | 'none' | 'failed';

/**
 * Up to nine pictures on one clock. The clock waits for those that load, then runs; each picture is nudged or jumps to follow it. Nobody but this class
 * starts, stops or seeks a picture.
 */
export class WatchRoom {
  tiles = $state.raw<readonly WatchTile[]>([]);
  /** Where the clock stands, for time line and address; null before there is a moment. */
  at = $state<number | null>(null);
  isPlaying = $state(false);
  rate = $state(1);
  /** Only key frames are shown: backwards, or because the browser does not keep up. */
  isKeyFramesOnly = $state(false);
  /** The stretch without footage that was last skipped. */
  skipped = $state.raw<{ fromAt: number; toAt: number } | null>(null);

  readonly #now: () => number;
  readonly #nextFootage: (at: number) => number | undefined;
  readonly #clock = new SyncClock(() => performance.now(), 0);
  readonly #timer: ReturnType<typeof setInterval>;
  #waitUntil = 0;
  #drySince: number | undefined;
  #strain: number[] = [];
  #toldAt = 0;

  /**
   * @param now the server's time, epoch ms
   * @param nextFootage where any of the cameras has footage from an instant on, as far as the page knows
   */
  constructor(now: () => number, nextFootage: (at: number) => number | undefined) {
    this.#now = now;
    this.#nextFootage = nextFootage;
    this.#timer = setInterval(() => this.#turn(), turnMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  get state(): RoomState {
    if (this.at === null || this.tiles.length === 0) return 'idle';
    if (this.tiles.some((tile) => tile.state === 'loading' || tile.state === 'idle')) {
      const isAnyReady = this.tiles.some((tile) => tile.state === 'ready');
      if (!isAnyReady) return 'loading';
    }
    if (this.tiles.every((tile) => tile.state === 'failed')) return 'failed';
    if (this.tiles.every((tile) => tile.state === 'none' || tile.state === 'failed')) return 'none';
    return this.isPlaying ? 'playing' : 'paused';
  }

  /** Shows these cameras, in this order; those that stay keep their picture, and the clock its time. */
  setChannels(channelIds: readonly string[]): void {
    const known = new Map(this.tiles.map((tile) => [tile.channelId, tile]));
    this.tiles = channelIds.map((id) => known.get(id) ?? new WatchTile(id, this.#now));
    this.#hold();
  }

  /** Jumps to an instant; playing goes on, and the very first jump begins to play. */
  seek(at: number): void {
    const isFirst = this.at === null;
    this.#jump(at);
    if (isFirst) this.play();
  }

  play(): void {
    if (this.at === null) return;
    this.isPlaying = true;
    this.#hold();
  }
  pause(): void {
    this.isPlaying = false;
    this.#clock.halt();
    this.#tell();
  }
  togglePlay(): void {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  /** Negative runs backwards, by key frames. */
  setRate(rate: number): void {
    this.rate = rate;
    this.#clock.setRate(rate);
    this.isKeyFramesOnly = rate < 0;
    this.#strain = [];
  }

  skip(ms: number): void {
    if (this.at !== null) this.#jump(this.#clock.at + ms);
  }

  /** One picture of `tile` onwards or back, halted. */
  step(tile: WatchTile | undefined, direction: 1 | -1): void {
    this.pause();
    const shownAt = tile?.shownAt;
    if (!tile || shownAt === null || shownAt === undefined) return;
    // The middle of the picture before or after: a position at its very edge could show either.
    this.#jump(shownAt + tile.frameMs * (direction > 0 ? 1.5 : -0.5));
  }

  /** Difference between the picture that is most ahead and the one most behind, ms; null with fewer than two. */
  spread(): number | null {
    const drifts = this.tiles.flatMap((tile) => tile.driftFrom(this.#clock.at) ?? []);
    return drifts.length < 2 ? null : Math.max(...drifts) - Math.min(...drifts);
  }

  #jump(at: number): void {
    this.#clock.set(Math.min(at, this.#now() - 1_000));
    this.skipped = null;
    this.#hold();
    this.#tell();
  }

  /** Halts the clock until the pictures are there, or patience ends. */
  #hold(patienceMs = startPatienceMs): void {
    if (this.isPlaying) this.#clock.halt();
    this.#waitUntil = performance.now() + patienceMs;
  }

  #turn(): void {
    if (this.at === null || this.tiles.length === 0) return;
    const time = performance.now();
    this.#runOrWait(time);
    const { at } = this.#clock;
    const isSeeking = this.isKeyFramesOnly || this.rate < 0;
    const beat: Beat = { at, rate: this.rate, isRunning: this.#clock.isRunning, isSeeking };
    for (const tile of this.tiles) tile.follow(beat);
    if (!this.#clock.isRunning) return;
    this.#noteStrain(time);
    this.#skipEmpty();
    if (this.#clock.at > this.#now() - 1_000) this.pause();
    if (time - this.#toldAt >= tellMs) this.#tell();
  }

  #runOrWait(time: number): void {
    if (!this.isPlaying) return;
    const isAnyWaiting = this.tiles.some((tile) => tile.isWaiting);
    if (!this.#clock.isRunning) {
      if (!isAnyWaiting || time > this.#waitUntil) {
        this.#clock.run();
        this.#drySince = undefined;
      }
      return;
    }
    if (!isAnyWaiting || this.isKeyFramesOnly) this.#drySince = undefined;
    else if (this.#drySince === undefined) this.#drySince = time;
    else if (time - this.#drySince > dryAfterMs && time > this.#waitUntil + dryPatienceMs) {
      this.#drySince = undefined;
      this.#hold(dryPatienceMs);
    }
  }

  #noteStrain(time: number): void {
    if (this.rate < keyFramesFromRate || this.isKeyFramesOnly) return;
    for (const tile of this.tiles) {
      for (let count = 0; count < tile.jumps; count += 1) this.#strain.push(time);
      tile.jumps = 0;
    }
    this.#strain = this.#strain.filter((at) => time - at < strainWindowMs);
    if (this.#strain.length >= strainJumps) this.isKeyFramesOnly = true;
  }

  /** Where no camera has footage, nobody wants to wait: goes to where one has, and says so. */
  #skipEmpty(): void {
    const isEmpty = this.tiles.every((tile) => ['gap', 'none', 'failed'].includes(tile.state));
    if (!isEmpty || this.rate < 0) return;
    const { at } = this.#clock;
    const ahead = [
      ...this.tiles.flatMap((tile) => tile.nextFootage(at) ?? []),
      ...[this.#nextFootage(at + 1)].flatMap((next) => next ?? []),
    ].filter((next) => next > at);
    if (ahead.length === 0) {
      this.pause();
      return;
    }
    const toAt = Math.min(...ahead);
    if (toAt - at < 1_000) return;
    this.#jump(toAt);
    this.skipped = { fromAt: at, toAt };
  }

  #tell(): void {
    this.#toldAt = performance.now();
    this.at = this.#clock.at;
  }
}
