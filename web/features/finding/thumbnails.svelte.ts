import { isAbort, toApiError } from '../../lib/api.ts';
import { loadFrame, type TakenPicture } from './api.ts';

/** Pictures kept in the page; older ones are let go. */
const mostKept = 120;
const pauseMs = 90;

/** The small picture under the pointer on a time line: asked for once the pointer rests, kept for the way back. */
export class HoverPicture {
  picture = $state.raw<TakenPicture | null>(null);
  isMissing = $state(false);
  readonly #kept = new Map<string, TakenPicture>();
  #asking: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param stepMs what one pixel stands for: pictures nearer than a few pixels are one */
  show(channelId: string, at: number, stepMs: number): void {
    const grain = Math.max(1_000, stepMs * 6);
    const key = `${channelId} ${Math.floor(at / grain)} ${Math.round(grain)}`;
    clearTimeout(this.#timer);
    const known = this.#kept.get(key);
    if (known) {
      this.#take(known);
      return;
    }
    this.#timer = setTimeout(() => void this.#ask(key, channelId, at), pauseMs);
  }
  hide(): void {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.picture = null;
    this.isMissing = false;
  }
  close(): void {
    this.hide();
    for (const { url } of this.#kept.values()) URL.revokeObjectURL(url);
    this.#kept.clear();
  }

  async #ask(key: string, channelId: string, at: number): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const picture = await loadFrame(channelId, at, 320, asking.signal);
      this.#keep(key, picture);
      if (this.#asking === asking) this.#take(picture);
    } catch (error) {
      if (isAbort(error) || this.#asking !== asking) return;
      this.picture = null;
      this.isMissing = toApiError(error).code === 'footage.none';
    }
  }
  #take(picture: TakenPicture): void {
    this.picture = picture;
    this.isMissing = false;
  }
  #keep(key: string, picture: TakenPicture): void {
    this.#kept.set(key, picture);
    const [oldest] = this.#kept;
    if (this.#kept.size <= mostKept || !oldest) return;
    URL.revokeObjectURL(oldest[1].url);
    this.#kept.delete(oldest[0]);
  }
}
