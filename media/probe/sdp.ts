/** One medium that a stream offers. */
export interface OfferedMedium {
  kind: 'video' | 'audio';
  /** Upper-case encoding name as RTP spells it: `H264`, `H265`, `MPEG4-GENERIC` (AAC), `PCMA`, `PCMU`, `JPEG`. */
  encoding: string;
  clockHz?: number;
}

/** Static payload types that cameras use without an rtpmap. Source: RFC 3551, tables 4 and 5. */
const STATIC: Readonly<Record<string, string>> = { '0': 'PCMU/8000', '8': 'PCMA/8000', '26': 'JPEG/90000' };
const LINES_LIMIT = 500;

/** The video and audio media of an SDP text, in its order. Lines that are not understood are skipped. Source: RFC 8866. */
export function readSdp(sdp: string): OfferedMedium[] {
  const media: OfferedMedium[] = [];
  let payload: string | undefined;
  const describe = (medium: OfferedMedium, map: string) => {
    const [encoding = '', clock] = map.split('/');
    medium.encoding = encoding.toUpperCase();
    if (Number(clock) > 0) medium.clockHz = Number(clock);
  };
  for (const line of sdp.split(/\r?\n/).slice(0, LINES_LIMIT)) {
    const [, kind, type] = /^m=(\w+) \S+ \S+ (\d+)/.exec(line) ?? [];
    if (line.startsWith('m=')) {
      payload = undefined;
      if ((kind === 'video' || kind === 'audio') && type !== undefined) {
        payload = type;
        const medium: OfferedMedium = { kind, encoding: '' };
        describe(medium, STATIC[type] ?? '');
        media.push(medium);
      }
    }
    const [, mapped, map] = /^a=rtpmap:(\d+) +(\S+)/.exec(line) ?? [];
    const current = media.at(-1);
    if (current && payload !== undefined && mapped === payload && map !== undefined) describe(current, map);
  }
  return media;
}
