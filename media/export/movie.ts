import { MediaError } from '../errors.ts';
import { findBox, readBoxes, type Box } from '../hls/boxes.ts';

/** The joined samples of one track, in decode order. Times in ticks of the track, on the clip's time line; they may begin at any value. */
export interface TrackTable {
  id: number;
  timescale: number;
  decodeTicks: number[];
  /** Presentation times. */
  shownTicks: number[];
  sizes: number[];
  /** Numbers of the samples that are key frames, from 1. */
  syncSamples: number[];
  /** Samples that lie one behind the other, by their place from the start of the media. */
  chunks: { at: number; samples: number }[];
  /** How long the last sample lasts. */
  lastTicks: number;
}

/** Milliseconds: of the movie header and of edit lists. */
const MOVIE_TIMESCALE = 1000;
const EPOCH_1904_S = 2_082_844_800;
const UINT32_MAX = 0xffff_ffff;
const MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];

/**
 * The bytes before the media of an MP4 file: `ftyp`, `moov` with full sample tables, the header of `mdat`. Decoder setup, handler and
 * size of each track are taken from the init segment. The first picture is shown at 0; sound that begins earlier or later keeps its distance
 * to it by an edit list. Source: ISO/IEC 14496-12, 8.2 to 8.7.
 * @throws MediaError `bad-output` for an init segment that lacks a box
 */
export function buildMovie(movie: {
  initBytes: Buffer;
  /** Video first. */
  tracks: readonly TrackTable[];
  mediaBytes: number;
  createdAt: Date;
}): Buffer {
  const ftyp = box('ftyp', Buffer.from('isom'), u32(512), Buffer.from('isomiso2iso4mp41'));
  const mdat = Buffer.concat([u32(1), Buffer.from('mdat'), u64(movie.mediaBytes + 16)]);
  // The place of the media depends on the size of the tables, which depends only on how wide the places are written.
  const needsLong = movie.mediaBytes > UINT32_MAX - 256_000_000;
  const measured = buildMoov(movie, { base: 0, needsLong });
  const base = ftyp.length + measured.length + mdat.length;
  return Buffer.concat([ftyp, buildMoov(movie, { base, needsLong }), mdat]);
}

function buildMoov(
  movie: { initBytes: Buffer; tracks: readonly TrackTable[]; createdAt: Date },
  place: { base: number; needsLong: boolean },
): Buffer {
  const { initBytes, tracks } = movie;
  const moov = readBoxes(initBytes).find((each) => each.type === 'moov');
  if (!moov) throw new MediaError('bad-output', 'no moov');
  const created = Math.floor(movie.createdAt.getTime() / 1000) + EPOCH_1904_S;
  const [video] = tracks;
  if (!video) throw new MediaError('bad-output', 'no video');
  const zero = firstShown(video) / video.timescale;
  const traks = readBoxes(initBytes, moov.body, moov.end).filter((each) => each.type === 'trak');
  const built = tracks.map((table) => {
    const trak = traks.find((each) => trackId(initBytes, each) === table.id);
    if (!trak) throw new MediaError('bad-output', 'no trak');
    return buildTrak(table, { initBytes, trak, created, zero, ...place });
  });
  const duration = Math.max(...built.map((each) => each.durationMs));
  const mvhd = timed('mvhd', { created, timescale: MOVIE_TIMESCALE, duration }, [
    u32(0x10000),
    u16(0x0100),
    Buffer.alloc(10),
    ...MATRIX.map(u32),
    Buffer.alloc(24),
    u32(Math.max(...tracks.map((table) => table.id)) + 1),
  ]);
  return box('moov', mvhd, ...built.map((each) => each.bytes));
}

function buildTrak(
  table: TrackTable,
  source: {
    initBytes: Buffer;
    trak: Box;
    created: number;
    zero: number;
    base: number;
    needsLong: boolean;
  },
): { bytes: Buffer; durationMs: number } {
  const { initBytes, trak, created } = source;
  const copy = (...path: string[]): Buffer => {
    const found = findBox(initBytes, trak, path);
    if (!found) throw new MediaError('bad-output', `no ${path.join('/')}`);
    return initBytes.subarray(found.start, found.end);
  };
  const toMs = (ticks: number) => Math.round((ticks * 1000) / table.timescale);
  const mediaTicks = (table.decodeTicks.at(-1) ?? 0) + table.lastTicks - (table.decodeTicks[0] ?? 0);
  const edit = editList(table, source.zero, mediaTicks);
  const handler = findBox(initBytes, trak, ['mdia', 'minf', 'vmhd']) ? 'vmhd' : 'smhd';
  const durationMs = edit.delayMs + toMs(edit.shownTicks);
  const mdia = box(
    'mdia',
    timed('mdhd', { created, timescale: table.timescale, duration: mediaTicks }, [u16(0x55c4), u16(0)]),
    copy('mdia', 'hdlr'),
    box(
      'minf',
      copy('mdia', 'minf', handler),
      copy('mdia', 'minf', 'dinf'),
      box('stbl', copy('mdia', 'minf', 'stbl', 'stsd'), ...sampleTables(table, source)),
    ),
  );
  const tkhd = trackHeader(initBytes, trak, { created, durationMs });
  return { bytes: box('trak', tkhd, edit.bytes, mdia), durationMs };
}

/** Where the first picture of the clip lies on the track, and how long the track is shown from there. */
function editList(
  table: TrackTable,
  zero: number,
  mediaTicks: number,
): { bytes: Buffer; delayMs: number; shownTicks: number } {
  const first = table.decodeTicks[0] ?? 0;
  const own = firstShown(table);
  const lateTicks = own - Math.round(zero * table.timescale);
  const delayMs = lateTicks > 0 ? Math.round((lateTicks * 1000) / table.timescale) : 0;
  const mediaStart = own - first + Math.max(0, -lateTicks);
  const lastShown = lastShownEnd(table) - first;
  const shownTicks = Math.max(0, Math.max(mediaTicks, lastShown) - mediaStart);
  const shownMs = Math.round((shownTicks * 1000) / table.timescale);
  const entries = [...(delayMs > 0 ? [[delayMs, -1] as const] : []), [shownMs, mediaStart] as const];
  const needsLong = entries.some(([ms, start]) => ms > UINT32_MAX || start > 0x7fff_ffff);
  const bytes = box(
    'edts',
    full('elst', needsLong ? 1 : 0, 0, [
      u32(entries.length),
      ...entries.flatMap(([ms, start]) => [
        needsLong ? u64(ms) : u32(ms),
        needsLong ? i64(start) : i32(start),
        u32(0x10000),
      ]),
    ]),
  );
  return { bytes, delayMs, shownTicks };
}

function sampleTables(table: TrackTable, place: { base: number; needsLong: boolean }): Buffer[] {
  const { decodeTicks, shownTicks, sizes, chunks } = table;
  const durations = decodeTicks.map((ticks, index) => {
    const next = decodeTicks[index + 1];
    return next === undefined ? table.lastTicks : next - ticks;
  });
  const shifts = shownTicks.map((ticks, index) => ticks - (decodeTicks[index] ?? 0));
  const boxes = [full('stts', 0, 0, [runs(durations)])];
  if (shifts.some((shift) => shift !== 0)) {
    boxes.push(full('ctts', shifts.some((shift) => shift < 0) ? 1 : 0, 0, [runs(shifts)]));
  }
  if (table.syncSamples.length < sizes.length) {
    boxes.push(full('stss', 0, 0, [u32(table.syncSamples.length), numbers(table.syncSamples)]));
  }
  const perChunk = chunks.flatMap(({ samples }, index) =>
    index > 0 && chunks[index - 1]?.samples === samples ? [] : [index + 1, samples, 1],
  );
  boxes.push(full('stsc', 0, 0, [u32(perChunk.length / 3), numbers(perChunk)]));
  boxes.push(full('stsz', 0, 0, [u32(0), u32(sizes.length), numbers(sizes)]));
  const places = chunks.map(({ at }) => place.base + at);
  boxes.push(
    place.needsLong
      ? full('co64', 0, 0, [u32(places.length), ...places.map(u64)])
      : full('stco', 0, 0, [u32(places.length), numbers(places)]),
  );
  return boxes;
}

function trackHeader(
  initBytes: Buffer,
  trak: Box,
  { created, durationMs }: { created: number; durationMs: number },
): Buffer {
  const source = findBox(initBytes, trak, ['tkhd']);
  if (!source || source.end - source.body < 84) throw new MediaError('bad-output', 'no tkhd');
  // Layer, group, volume, matrix and size: the last 60 bytes in both versions.
  const rest = initBytes.subarray(source.end - 60, source.end);
  const isLong = durationMs > UINT32_MAX || created > UINT32_MAX;
  const time = isLong ? u64 : u32;
  return full('tkhd', isLong ? 1 : 0, 3, [
    time(created),
    time(created),
    u32(trackId(initBytes, trak)),
    u32(0),
    time(durationMs),
    rest,
  ]);
}

function trackId(initBytes: Buffer, trak: Box): number {
  const tkhd = findBox(initBytes, trak, ['tkhd']);
  if (!tkhd || tkhd.end - tkhd.body < 84) throw new MediaError('bad-output', 'no tkhd');
  return initBytes.readUInt32BE(tkhd.body + (initBytes.readUInt8(tkhd.body) === 1 ? 20 : 12));
}

const firstShown = (table: TrackTable) =>
  table.shownTicks.reduce((least, ticks) => Math.min(least, ticks), Infinity);

function lastShownEnd(table: TrackTable): number {
  const { shownTicks, decodeTicks, lastTicks } = table;
  let end = -Infinity;
  // Pictures are reordered over a few places only, so the newest is among the last ones.
  for (let index = Math.max(0, shownTicks.length - 64); index < shownTicks.length; index += 1) {
    const next = decodeTicks[index + 1];
    const ticks = next === undefined ? lastTicks : next - (decodeTicks[index] ?? 0);
    end = Math.max(end, (shownTicks[index] ?? 0) + ticks);
  }
  return end;
}

/** A list as counts and values, with its number of entries before it. */
function runs(values: readonly number[]): Buffer {
  const entries: number[] = [];
  let start = 0;
  for (let index = 1; index <= values.length; index += 1) {
    if (index < values.length && values[index] === values[start]) continue;
    entries.push(index - start, values[start] ?? 0);
    start = index;
  }
  return Buffer.concat([u32(entries.length / 2), numbers(entries)]);
}

/** Each as 4 bytes; negative ones as two's complement. */
function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  for (let index = 0; index < values.length; index += 1)
    bytes.writeUInt32BE((values[index] ?? 0) >>> 0, index * 4);
  return bytes;
}

/** `mvhd` and `mdhd`: they begin alike. */
function timed(
  type: string,
  head: { created: number; timescale: number; duration: number },
  rest: Buffer[],
): Buffer {
  const isLong = head.duration > UINT32_MAX || head.created > UINT32_MAX;
  const time = isLong ? u64 : u32;
  const { created, timescale, duration } = head;
  return full(type, isLong ? 1 : 0, 0, [
    time(created),
    time(created),
    u32(timescale),
    time(duration),
    ...rest,
  ]);
}

function full(type: string, version: number, flags: number, bodies: Buffer[]): Buffer {
  return box(type, u32(((version << 24) | flags) >>> 0), ...bodies);
}

function box(type: string, ...bodies: Buffer[]): Buffer {
  const size = bodies.reduce((sum, body) => sum + body.length, 8);
  return Buffer.concat([u32(size), Buffer.from(type, 'latin1'), ...bodies], size);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function i64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
