import { MediaError } from '../errors.ts';

/** One thing on an RTSP connection over TCP. */
export type RtspItem =
  | { kind: 'frame'; channel: number; data: Buffer }
  | { kind: 'message'; start: string; headers: Map<string, string[]>; body: string };

const HEAD_LIMIT_BYTES = 16 * 1024;
const BODY_LIMIT_BYTES = 64 * 1024;

/**
 * Takes RTSP messages (requests or replies) and interleaved frames out of a byte stream. `push` gives what is complete; it never holds more
 * than one message or frame and the bytes of one `push`.
 * @throws MediaError `protocol` (neither a frame nor RTSP, misshapen head), `too-large`. Source: RFC 2326 sections 4, 6, 7, 10.12
 */
export function createRtspReader() {
  let buffer: Buffer = Buffer.alloc(0);

  function next(): RtspItem | undefined {
    // Some devices send stray line ends between messages.
    let at = 0;
    while (at < buffer.length && (buffer[at] === 0x0d || buffer[at] === 0x0a)) at += 1;
    if (at > 0) buffer = buffer.subarray(at);
    if (buffer.length === 0) return undefined;
    if (buffer.readUInt8(0) === 0x24) {
      if (buffer.length < 4) return undefined;
      const end = 4 + buffer.readUInt16BE(2);
      if (buffer.length < end) return undefined;
      const item: RtspItem = { kind: 'frame', channel: buffer.readUInt8(1), data: buffer.subarray(4, end) };
      buffer = buffer.subarray(end);
      return item;
    }
    if (!/^[A-Z]/.test(buffer.toString('latin1', 0, 1)))
      throw new MediaError('protocol', 'the connection carries neither RTSP nor frames');
    const headEnd = buffer.subarray(0, HEAD_LIMIT_BYTES).indexOf('\r\n\r\n');
    if (headEnd < 0) {
      if (buffer.length >= HEAD_LIMIT_BYTES)
        throw new MediaError('too-large', 'the RTSP headers have no end');
      return undefined;
    }
    const [start = '', ...lines] = buffer.toString('latin1', 0, headEnd).split('\r\n');
    if (!/^RTSP\/\d\.\d \d{3}|^[A-Z_]+ \S+ RTSP\/\d\.\d$/.test(start))
      throw new MediaError('protocol', 'the first line is no RTSP');
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) continue;
      const name = line.slice(0, colon).trim().toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
    }
    const length = Number(headers.get('content-length')?.[0] ?? 0);
    if (!Number.isSafeInteger(length) || length < 0)
      throw new MediaError('protocol', 'the content length is misshapen');
    if (length > BODY_LIMIT_BYTES)
      throw new MediaError('too-large', 'the RTSP body is too large', { length });
    const end = headEnd + 4 + length;
    if (buffer.length < end) return undefined;
    const body = buffer.toString('utf8', headEnd + 4, end);
    buffer = buffer.subarray(end);
    return { kind: 'message', start, headers, body };
  }

  return {
    push(bytes: Buffer): RtspItem[] {
      buffer = buffer.length === 0 ? bytes : Buffer.concat([buffer, bytes]);
      const items: RtspItem[] = [];
      for (let item = next(); item; item = next()) items.push(item);
      return items;
    },
  };
}

/** An interleaved frame, ready to be written. */
export function interleave(channel: number, data: Buffer): Buffer {
  const head = Buffer.from([0x24, channel, 0, 0]);
  head.writeUInt16BE(data.length, 2);
  return Buffer.concat([head, data]);
}
