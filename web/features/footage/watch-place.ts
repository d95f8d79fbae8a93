import type { ViewWindow } from './view-window.ts';

/** Where an investigator is: everything needed to come back to it, by reload, back button or a link sent to a colleague. Epoch ms. */
export interface WatchPlace {
  readonly channels: readonly string[];
  readonly activeId: string | null;
  readonly at: number | null;
  readonly rate: number;
  readonly selection: ViewWindow | null;
  /** Length of the time line on screen. */
  readonly spanMs: number | null;
}

export const rates = [0.25, 0.5, 1, 2, 4, 8, 16] as const;
/** Pictures on screen at once. */
export const mostChannels = 9;
const longestSpanMs = 31 * 86_400_000;

/** Reads an address' search part; what is missing or senseless is left out. */
export function readPlace(search: URLSearchParams): WatchPlace {
  const channels = [...new Set((search.get('channels') ?? '').split(',').filter(Boolean))].slice(
    0,
    mostChannels,
  );
  const instant = (name: string) => {
    const at = Date.parse(search.get(name) ?? '');
    return Number.isNaN(at) ? null : at;
  };
  const [fromAt, toAt] = [instant('from'), instant('to')];
  const active = search.get('active');
  const rate = Number(search.get('rate') ?? 1);
  const spanMs = Number(search.get('span') ?? Number.NaN) * 1000;
  return {
    channels,
    activeId: active !== null && channels.includes(active) ? active : (channels[0] ?? null),
    at: instant('at'),
    rate: rates.some((known) => known === Math.abs(rate)) ? rate : 1,
    selection: fromAt !== null && toAt !== null && fromAt < toAt ? { fromAt, toAt } : null,
    spanMs: spanMs >= 60_000 && spanMs <= longestSpanMs ? spanMs : null,
  };
}

/** The search part of the address of a place, with `?`; empty for nowhere. Instants are readable and to the millisecond. */
export function writePlace(place: WatchPlace): string {
  if (place.channels.length === 0) return '';
  // Colons and commas need no escape in a search part, and a link that can be read is trusted more.
  const parts = [`channels=${place.channels.map(encodeURIComponent).join(',')}`];
  const add = (name: string, at: number | null) => {
    if (at !== null) parts.push(`${name}=${new Date(at).toISOString()}`);
  };
  if (place.activeId !== null && place.activeId !== place.channels[0])
    parts.push(`active=${encodeURIComponent(place.activeId)}`);
  add('at', place.at);
  if (place.rate !== 1) parts.push(`rate=${place.rate}`);
  add('from', place.selection?.fromAt ?? null);
  add('to', place.selection?.toAt ?? null);
  if (place.spanMs !== null) parts.push(`span=${Math.round(place.spanMs / 1000)}`);
  return `?${parts.join('&')}`;
}
