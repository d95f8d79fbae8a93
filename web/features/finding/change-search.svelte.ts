import type { ChangeMoment } from '#api/finding/schema.ts';
import { isAbort, toApiError } from '../../lib/api.ts';
import { searchChanges } from './api.ts';

export type SearchState = 'idle' | 'running' | 'done' | 'failed';
/** An area of a picture, in shares from its top left. */
export interface PickedArea {
  readonly fromX: number;
  readonly fromY: number;
  readonly toX: number;
  readonly toY: number;
}

/** One search for the moments when an area changed, as it goes on. */
export class ChangeSearch {
  state = $state<SearchState>('idle');
  moments = $state.raw<readonly ChangeMoment[]>([]);
  /** 0..1 of the range. */
  share = $state(0);
  pictures = $state<number | null>(null);
  isCut = $state(false);
  problem = $state<string | null>(null);
  channelId = $state<string | null>(null);
  #running: AbortController | undefined;

  async run(channelId: string, range: { fromAt: number; toAt: number }, area: PickedArea): Promise<void> {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.channelId = channelId;
    this.state = 'running';
    this.moments = [];
    this.share = 0;
    this.pictures = null;
    this.isCut = false;
    this.problem = null;
    const { fromX, fromY, toX, toY } = area;
    const corners = [
      { x: fromX, y: fromY },
      { x: toX, y: fromY },
      { x: toX, y: toY },
      { x: fromX, y: toY },
    ];
    try {
      for await (const line of searchChanges(channelId, range, corners, running.signal)) {
        if (line.name === 'moment') this.moments = [...this.moments, line];
        else if (line.name === 'progress') this.share = line.share;
        else if (line.name === 'end') {
          this.pictures = line.pictures;
          this.isCut = line.isCut;
          this.share = 1;
          this.state = 'done';
        } else {
          this.problem = line.message;
          this.state = 'failed';
        }
      }
      // The answer was cut off: what came is not all there is.
      if (this.#running === running && this.pictures === null && this.problem === null) this.state = 'failed';
    } catch (error) {
      if (isAbort(error) || this.#running !== running) return;
      this.problem = toApiError(error).message;
      this.state = 'failed';
    }
  }

  /** Ends a search that is under way, here and on the server; what was found stays. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    if (this.state === 'running') this.state = 'idle';
  }
}
