import { describe, expect, it } from 'vitest';
import { createRtspReader, interleave } from './framing.ts';

const reply = 'RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody';

describe('an RTSP connection', () => {
  it('is taken apart however its bytes arrive', () => {
    const bytes = Buffer.concat([
      Buffer.from(reply),
      interleave(0, Buffer.from('abc')),
      Buffer.from(`\r\n${reply}`),
    ]);
    for (let size = 1; size <= bytes.length; size += 7) {
      const reader = createRtspReader();
      const items = [];
      for (let at = 0; at < bytes.length; at += size)
        items.push(...reader.push(bytes.subarray(at, at + size)));
      expect(items.map(({ kind }) => kind)).toEqual(['message', 'frame', 'message']);
      expect(items[0]).toMatchObject({ start: 'RTSP/1.0 200 OK', body: 'body' });
      expect(items[1]).toMatchObject({ channel: 0, data: Buffer.from('abc') });
    }
  });

  it('with a frame of a wrong length ends in a clear error, not in garbage', () => {
    const frame = interleave(0, Buffer.alloc(100));
    frame.writeUInt16BE(50, 2);
    expect(() => createRtspReader().push(Buffer.concat([frame, frame]))).toThrow(/neither RTSP nor frames/);
  });

  it.each([
    ['headers without end', `RTSP/1.0 200 OK\r\n${'X-Long: 1\r\n'.repeat(3_000)}`, /no end/],
    ['one header line without end', `RTSP/1.0 200 OK\r\nX: ${'y'.repeat(20_000)}`, /no end/],
    ['a body too large', 'RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n', /too large/],
    ['a length below nothing', 'RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n', /misshapen/],
    ['another protocol', 'HTTP/1.1 200 OK\r\n\r\n', /no RTSP/],
    ['garbage', '\u0000\u0001\u0002', /neither/],
  ])('refuses %s', (_what, text, problem) => {
    expect(() => createRtspReader().push(Buffer.from(text))).toThrow(problem);
  });

  it('takes a million line ends for nothing', () => {
    expect(createRtspReader().push(Buffer.alloc(1_000_000, '\r\n'))).toEqual([]);
  });
});
