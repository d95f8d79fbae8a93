import { readLocal, writeLocal } from '../../lib/storage.ts';

export const layouts = [1, 4, 9, 16] as const;
export type Layout = (typeof layouts)[number];

/** Which channel is in which cell of the wall; kept in the browser, so that a screen comes up as it was left. */
export class Wall {
  layout = $state<Layout>(4);
  cells = $state<(string | null)[]>(Array.from({ length: 16 }, () => null));
  /** The cell the next chosen channel goes to. */
  target = $state(0);

  constructor() {
    const stored = readWall();
    if (!stored) return;
    this.layout = stored.layout;
    this.cells = stored.cells;
  }

  get visible(): readonly (string | null)[] {
    return this.cells.slice(0, this.layout);
  }

  setLayout(layout: Layout): void {
    this.layout = layout;
    this.target = Math.min(this.target, layout - 1);
    this.#keep();
  }

  /** Puts a channel into the target cell, or takes it off where it is shown already. The target moves on to the next free cell. */
  toggle(channelId: string): void {
    const shownAt = this.visible.indexOf(channelId);
    if (shownAt >= 0) return this.put(shownAt, null);
    this.put(this.target, channelId);
  }

  put(cell: number, channelId: string | null): void {
    this.cells[cell] = channelId;
    const nextFree = this.visible.indexOf(null);
    this.target = channelId === null ? cell : nextFree >= 0 ? nextFree : (cell + 1) % this.layout;
    this.#keep();
  }

  /** Shows `channelIds` from the first cell on, in the smallest layout that holds them; sixteen at most. */
  show(channelIds: readonly string[]): void {
    this.layout = layouts.find((size) => size >= channelIds.length) ?? 16;
    this.cells = Array.from({ length: 16 }, (_, at) => channelIds[at] ?? null);
    this.target = Math.min(channelIds.length, this.layout - 1);
    this.#keep();
  }

  #keep(): void {
    writeLocal('wall', JSON.stringify({ layout: this.layout, cells: this.cells }));
  }
}

function readWall(): { layout: Layout; cells: (string | null)[] } | undefined {
  const text = readLocal('wall');
  if (text === null) return undefined;
  let stored: { layout?: unknown; cells?: unknown };
  try {
    stored = JSON.parse(text) as typeof stored;
  } catch (error) {
    console.debug('the stored wall is no JSON', error);
    return undefined;
  }
  const layout = layouts.find((size) => size === stored.layout);
  if (!layout || !Array.isArray(stored.cells)) return undefined;
  const given: unknown[] = stored.cells;
  const cells = Array.from({ length: 16 }, (_, at) => {
    const id = given[at];
    return typeof id === 'string' ? id : null;
  });
  return { layout, cells };
}
