import { MediaError } from '../errors.ts';
import type { ReplayCodec } from './rtp.ts';

/** The video of a replay as its description offers it. */
export interface ReplayVideo {
  codec: ReplayCodec;
  payloadType: number;
  /** As the description has it: an address or a part of one; undefined where it names none. */
  control: string | undefined;
  /** The format's parameters without the decoder's setup, and the setup alone (`sprop-…`). */
  format: string[];
  setup: string[];
}

const LINES_LIMIT = 500;

/**
 * The first video of a replay's SDP that can be kept.
 * @throws MediaError `no-media` (no video), `not-supported` (neither H.264 nor H.265 at 90 kHz). Source: RFC 8866, RFC 6184 8.2.1, RFC 7798 7.2.1
 */
export function readReplaySdp(sdp: string): ReplayVideo {
  const lines = sdp.split(/\r\n|\r|\n/).slice(0, LINES_LIMIT);
  const from = lines.findIndex((line) => line.startsWith('m=video'));
  if (from < 0) throw new MediaError('no-media', 'the recording holds no video');
  const next = lines.findIndex((line, index) => index > from && line.startsWith('m='));
  const section = lines.slice(from, next < 0 ? lines.length : next);
  const payloadType = Number(/^m=video \S+ \S+ (\d{1,3})/.exec(section[0] ?? '')?.[1] ?? NaN);
  const encoding = section
    .map((line) => /^a=rtpmap:(\d+) +([\w-]+)\/(\d+)/.exec(line))
    .find((match) => Number(match?.[1]) === payloadType);
  const name = encoding?.[2]?.toUpperCase();
  const codec = name === 'H264' ? 'h264' : name === 'H265' ? 'h265' : undefined;
  if (!codec || encoding?.[3] !== '90000' || payloadType > 127)
    throw new MediaError(
      'not-supported',
      `recorded video of the kind ${name ?? 'unknown'} cannot be fetched`,
    );
  const parameters = section
    .map((line) => /^a=fmtp:(\d+) +(.+)$/.exec(line))
    .filter((match) => Number(match?.[1]) === payloadType)
    .flatMap((match) => (match?.[2] ?? '').split(';'))
    .map((parameter) => parameter.trim())
    .filter((parameter) => /^[\w-]+=[\w+/=,.-]*$/.test(parameter));
  const isSetup = (parameter: string) => parameter.startsWith('sprop-');
  const control = section
    .map((line) => /^a=control:(\S+)$/.exec(line)?.[1])
    .find((found) => found !== undefined);
  return {
    codec,
    payloadType,
    control,
    format: parameters.filter((parameter) => !isSetup(parameter)),
    setup: parameters.filter(isSetup),
  };
}

/** An SDP with this video alone, for ffmpeg. The setup is left out where it travels with the pictures, which are newer. */
export function writeReplaySdp(video: ReplayVideo, { withSetup }: { withSetup: boolean }): string {
  const { payloadType: type, codec } = video;
  const parameters = [...video.format, ...(withSetup ? video.setup : [])];
  return [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    's=replay',
    't=0 0',
    `m=video 0 RTP/AVP ${type}`,
    'c=IN IP4 0.0.0.0',
    `a=rtpmap:${type} ${codec.toUpperCase()}/90000`,
    ...(parameters.length > 0 ? [`a=fmtp:${type} ${parameters.join(';')}`] : []),
    'a=control:video',
    '',
  ].join('\r\n');
}
