import { readBoxes, type Box } from './boxes.ts';
import { MediaError } from '../errors.ts';

/** What a sample entry says about its track. `config` is the raw decoder configuration box: equal bytes, equal decoder. */
export interface CodecFacts {
  codec: 'h264' | 'h265' | 'aac';
  /** RFC 6381, as `MediaSource.isTypeSupported` wants it. */
  codecString: string;
  width?: number;
  height?: number;
  config: Buffer;
}

const VISUAL_ENTRY_BYTES = 78; // ISO/IEC 14496-12, 12.1.3: fixed part of a visual sample entry after the box header
const AUDIO_ENTRY_BYTES = 28; // 12.2.3: the same for audio

/**
 * Reads the first sample entry of an `stsd` box.
 * Source: ISO/IEC 14496-15 (avcC, hvcC), RFC 6381 and ISO/IEC 14496-15 annex E for the strings.
 * @throws MediaError `not-supported` for other codecs, `bad-output` for misshapen boxes
 */
export function readCodec(data: Buffer, stsd: Box): CodecFacts {
  const [entry] = readBoxes(data, stsd.body + 8, stsd.end);
  if (!entry) throw new MediaError('bad-output', 'no sample entry');
  const isAudio = entry.type === 'mp4a';
  const fixed = isAudio ? AUDIO_ENTRY_BYTES : VISUAL_ENTRY_BYTES;
  if (entry.body + fixed > entry.end) throw new MediaError('bad-output', 'the sample entry is cut');
  const inner = readBoxes(data, entry.body + fixed, entry.end);
  const bodyOf = (type: string, leastBytes: number): Buffer => {
    const box = inner.find((each) => each.type === type);
    if (!box || box.end - box.body < leastBytes) throw new MediaError('bad-output', `no ${type} box`);
    return data.subarray(box.body, box.end);
  };
  if (isAudio) return aac(bodyOf('esds', 8));
  const size = { width: data.readUInt16BE(entry.body + 24), height: data.readUInt16BE(entry.body + 26) };
  if (entry.type === 'avc1' || entry.type === 'avc3') {
    const config = bodyOf('avcC', 7);
    return { codec: 'h264', codecString: `${entry.type}.${config.toString('hex', 1, 4)}`, ...size, config };
  }
  if (entry.type === 'hvc1' || entry.type === 'hev1') {
    const config = bodyOf('hvcC', 13);
    return { codec: 'h265', codecString: `${entry.type}.${hevcProfile(config)}`, ...size, config };
  }
  throw new MediaError('not-supported', `sample entry ${JSON.stringify(entry.type)} is not known`);
}

function hevcProfile(config: Buffer): string {
  const first = config.readUInt8(1);
  const space = ['', 'A', 'B', 'C'][first >> 6] ?? '';
  const tier = first & 0x20 ? 'H' : 'L';
  let flags = config.readUInt32BE(2);
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) {
    reversed = (reversed << 1) | (flags & 1);
    flags >>>= 1;
  }
  const constraints = [...config.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  const parts = [`${space}${first & 0x1f}`, (reversed >>> 0).toString(16), `${tier}${config.readUInt8(12)}`];
  return [...parts, ...constraints.map((byte) => byte.toString(16))].join('.');
}

function aac(config: Buffer): CodecFacts {
  // esds (ISO/IEC 14496-1, 7.2.6): version and flags, then descriptors 3 > 4 > 5, each with a length of 7 bits a byte.
  let at = 4;
  for (const [tag, fixedBytes] of [
    [3, 3],
    [4, 13],
    [5, 0],
  ] as const) {
    if (config[at] !== tag) throw new MediaError('bad-output', 'the esds box is misshapen');
    at += 1;
    while ((config[at] ?? 0) & 0x80) at += 1;
    at += 1 + fixedBytes;
  }
  const first = config[at];
  if (first === undefined) throw new MediaError('bad-output', 'the esds box is cut');
  return { codec: 'aac', codecString: `mp4a.40.${first >> 3}`, config };
}
