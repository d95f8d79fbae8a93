import { open, type FileHandle } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import { readBoxHeader } from '../hls/boxes.ts';
import { readAt, type Fmp4Track } from '../hls/fmp4.ts';
import { readTrackFragments, visitSamples } from '../hls/track-fragments.ts';
import { buildMovie, type TrackTable } from './movie.ts';
import type { ClipPart, ClipPiece } from './plan.ts';

/** Media bytes that are copied as they are. */
export interface Extent {
  file: string;
  /** Where they lie in the source, and where in the clip. */
  offset: number;
  at: number;
  sizeBytes: number;
}

/** A clip's file before it is written: every byte of it has its place. */
export interface ClipLayout {
  /** `ftyp`, `moov` and the header of `mdat`: all that stands before the media. */
  head: Buffer;
  /** One for each piece of the part, in order, without holes between them. */
  extents: Extent[];
  sizeBytes: number;
  /** When each picture is shown, in ms from the clip's start, in decode order. */
  shownMs: Float64Array;
}

/**
 * Lays a part out as one MP4 file whose tables come first: reads the sample tables of its fragments and joins them, so that the media
 * bytes need to be copied only once, in any order. Equal input gives equal bytes.
 * @throws MediaError `rejected` (the footage is gone), `bad-output` (damaged tables)
 */
export async function layOutClip(part: ClipPart, createdAt: Date): Promise<ClipLayout> {
  const { video, audio } = part.init;
  const tables = [video, ...(audio ? [audio] : [])].map((track) => ({ track, table: emptyTable(track) }));
  const extents: Extent[] = [];
  let at = 0; // from the start of the media
  for await (const { piece, moof } of readHeads(part.pieces)) {
    const box = readBoxHeader(moof, 0);
    const mdat = readBoxHeader(moof, piece.fragment.moofBytes);
    if (box?.type !== 'moof' || mdat?.type !== 'mdat')
      throw new MediaError('rejected', 'the footage was changed meanwhile', { file: piece.file });
    const sizeBytes = piece.fragment.sizeBytes - mdat.body;
    const shiftMs = piece.shiftTicks / video.timescale;
    for (const fragment of readTrackFragments(moof, box)) {
      const found = tables.find(({ track }) => track.id === fragment.trackId);
      if (!found) continue;
      const { table, track } = found;
      const shift = Math.round(shiftMs * track.timescale);
      visitSamples(
        moof,
        fragment,
        (sample) => {
          const decode = sample.decodeTicks + shift;
          // Runs that overlap by a few ms: decode times must rise, the shown times stay.
          const last = table.decodeTicks.at(-1);
          table.decodeTicks.push(last === undefined ? decode : Math.max(decode, last + 1));
          if (table.decodeTicks.length === 2) dropLead(table);
          table.shownTicks.push(decode + sample.shiftTicks);
          table.sizes.push(sample.sizeBytes);
          if (sample.isSync) table.syncSamples.push(table.sizes.length);
          table.lastTicks = sample.durationTicks;
        },
        (dataOffset, samples) => {
          if (dataOffset < mdat.body || dataOffset > piece.fragment.sizeBytes)
            throw new MediaError('bad-output', 'a fragment points outside its media', { file: piece.file });
          table.chunks.push({ at: at + dataOffset - mdat.body, samples });
        },
      );
    }
    extents.push({ file: piece.file, offset: piece.fragment.offset + mdat.body, at, sizeBytes });
    at += sizeBytes;
  }
  const used = tables.map(({ table }) => table).filter((table) => table.sizes.length > 0);
  const head = buildMovie({ initBytes: part.init.bytes, tracks: used, mediaBytes: at, createdAt });
  const videoTable = tables[0]?.table;
  if (!videoTable) throw new MediaError('bad-output', 'no video');
  const firstShown = videoTable.shownTicks.reduce((least, ticks) => Math.min(least, ticks), Infinity);
  return {
    head,
    extents: extents.map((extent) => ({ ...extent, at: extent.at + head.length })),
    sizeBytes: head.length + at,
    shownMs: Float64Array.from(
      videoTable.shownTicks,
      (ticks) => ((ticks - firstShown) * 1000) / video.timescale,
    ),
  };
}

/**
 * At the start of a run the recorder sets the first decode time early (see pull-command.ts). Players that take the distance to its picture for
 * the whole track's would seek wrongly: it is made as small as the second picture allows.
 */
function dropLead({ decodeTicks, shownTicks }: TrackTable): void {
  const [first, second] = decodeTicks;
  if (first === undefined || second === undefined) return;
  decodeTicks[0] = Math.max(first, Math.min(shownTicks[0] ?? first, second - 1));
}

function emptyTable({ id, timescale }: Fmp4Track): TrackTable {
  return {
    id,
    timescale,
    decodeTicks: [],
    shownTicks: [],
    sizes: [],
    syncSamples: [],
    chunks: [],
    lastTicks: 0,
  };
}

/** The `moof` of each piece and the header of its `mdat`; one file is open at a time. */
async function* readHeads(pieces: readonly ClipPiece[]): AsyncGenerator<{ piece: ClipPiece; moof: Buffer }> {
  let current: { path: string; handle: FileHandle } | undefined;
  try {
    for (const piece of pieces) {
      if (current?.path !== piece.file) {
        await current?.handle.close();
        current = undefined;
        current = { path: piece.file, handle: await openSource(piece.file) };
      }
      const { offset, moofBytes } = piece.fragment;
      yield { piece, moof: await readAt(current.handle, offset, moofBytes + 16) };
    }
  } finally {
    await current?.handle.close();
  }
}

/** Opens footage for reading. @throws MediaError `rejected` when it is gone */
export async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw new MediaError('rejected', 'the footage is gone', { file: path }, { cause: error });
  }
}
