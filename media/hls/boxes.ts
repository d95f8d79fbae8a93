import { MediaError } from '../errors.ts';

/** One ISO base media box inside a buffer: `start` is its first header byte, `body` the first byte after the header. */
export interface Box {
  type: string;
  start: number;
  body: number;
  end: number;
}

const BOXES_LIMIT = 4_096;

/** A box header at `offset`, or undefined when fewer bytes than a header are there. `end` may lie past the buffer. */
export function readBoxHeader(data: Buffer, offset: number): Box | undefined {
  if (offset + 8 > data.length) return undefined;
  const type = data.toString('latin1', offset + 4, offset + 8);
  const short = data.readUInt32BE(offset);
  if (short !== 1) return { type, start: offset, body: offset + 8, end: offset + short };
  if (offset + 16 > data.length) return undefined;
  const long = data.readBigUInt64BE(offset + 8);
  if (long > BigInt(Number.MAX_SAFE_INTEGER))
    throw new MediaError('bad-output', 'a box claims an impossible size');
  return { type, start: offset, body: offset + 16, end: offset + Number(long) };
}

/**
 * The boxes between `from` and `to`, in order.
 * @throws MediaError `bad-output` when a box passes the end of its parent, is shorter than its header, or there are too many
 */
export function readBoxes(data: Buffer, from = 0, to = data.length): Box[] {
  const boxes: Box[] = [];
  for (let offset = from; offset < to;) {
    const box = readBoxHeader(data, offset);
    if (!box || box.end > to || box.end < box.body)
      throw new MediaError('bad-output', 'a box is cut or misshapen');
    if (boxes.push(box) > BOXES_LIMIT) throw new MediaError('bad-output', 'too many boxes');
    offset = box.end;
  }
  return boxes;
}

/** The first box along a path of types, such as `['mdia', 'minf', 'stbl']`, or undefined. */
export function findBox(data: Buffer, parent: Box, path: readonly string[]): Box | undefined {
  let current: Box | undefined = parent;
  for (const type of path) {
    if (!current) return undefined;
    current = readBoxes(data, current.body, current.end).find((box) => box.type === type);
  }
  return current;
}
