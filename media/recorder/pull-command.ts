import { join } from 'node:path';
import type { FfmpegSpec } from '../process/ffmpeg.ts';
import { urlForFfmpeg, type StreamSource } from '../source.ts';
import { PART_SUFFIX } from './segment-names.ts';
import { words } from '../process/words.ts';

/** What is done with a stream's sound: copied (AAC), turned into AAC (G.711), or left out. */
export type AudioMode = 'copy' | 'transcode' | 'none';

/** No answer from the camera for this long ends the run. */
const SOCKET_TIMEOUT_MICROS = 8_000_000;
/** A fragment is one group of pictures, but never longer than this: cameras with "smart" codecs send a key frame every 10 s. */
const LONGEST_FRAGMENT_MICROS = 4_000_000;

/**
 * ffmpeg leaves the first RTSP packet without a time stamp and guesses the decode times after it; with B-frames the guess
 * collides and the first pictures of a run get wrong times. Giving that packet its time (the run starts at 0) and a decode
 * time 0.2 s earlier (18000 ticks of RTP's 90 kHz video clock; room for the reordering of three frames at 15 frames/s)
 * leaves all others as the camera sent them. Source: measured with ffmpeg 5.1.9 against x264 with two B-frames.
 */
export const FIRST_PACKET =
  'setts=pts=if(eq(N\\,0)*eq(PTS\\,NOPTS)\\,0\\,PTS):dts=if(eq(N\\,0)\\,if(eq(PTS\\,NOPTS)\\,0\\,PTS)-18000\\,DTS)';

/**
 * Options of the inner MP4 muxer. `frag_discont` with `use_editlist=0` and without ffmpeg's shift to zero makes each file's
 * `tfdt` the run's time, so that files of a run follow on without arithmetic; `flush_packets` puts each fragment on disk the
 * moment it is complete, for the live tail and for kill -9. Source: libavformat/movenc.c and segment.c of ffmpeg 5.1.
 */
const FRAGMENTS = [
  'movflags=+frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer',
  `frag_duration=${LONGEST_FRAGMENT_MICROS}`,
  'use_editlist=0',
  'avoid_negative_ts=make_non_negative',
  'video_track_timescale=90000',
  'flush_packets=1',
].join(':');

/** Output options for one run's files: fragmented MP4, a new file at the first key frame after `segmentMs`. */
export function segmentOutput(options: {
  dir: string;
  runId: string;
  segmentMs: number;
  codec: 'h264' | 'h265';
}) {
  return {
    target: join(options.dir, `${options.runId}-%06d${PART_SUFFIX}`),
    options: [
      ...(options.codec === 'h265' ? ['-tag:v', 'hvc1'] : []),
      ...words(`-f segment -segment_format mp4 -segment_time ${options.segmentMs / 1000}`),
      ...words(`-segment_list pipe:1 -segment_list_type csv -segment_format_options ${FRAGMENTS}`),
    ],
  };
}

/**
 * The command of one pull: RTSP in, segment files out, nothing decoded. A second, tiny output prints one line a key frame the
 * moment it arrives (read by key-frame-lines.ts): those arrivals place the run on the wall clock. `-progress` cannot: with
 * `-copyts` its time starts at its own first report.
 */
export function pullCommand(options: {
  source: StreamSource;
  codec: 'h264' | 'h265';
  audio: AudioMode;
  dir: string;
  runId: string;
  segmentMs: number;
}): FfmpegSpec {
  const { source, audio } = options;
  const output = segmentOutput(options);
  const sound = {
    copy: ['-map', '0:a:0', '-c:a', 'copy'],
    transcode: ['-map', '0:a:0', '-c:a', 'aac', '-b:a', '32k', '-ac', '1'],
    none: ['-an'],
  }[audio];
  return {
    inputs: [
      {
        source: urlForFfmpeg(source),
        options: [
          ...words(`-copyts -rtsp_transport ${source.transport} -timeout ${SOCKET_TIMEOUT_MICROS}`),
          ...words(`-allowed_media_types ${audio === 'none' ? 'video' : 'video+audio'}`),
          // Else ffmpeg holds the first 1.5 s back to measure a frame rate that copying does not need.
          ...words('-fpsprobesize 0'),
        ],
      },
    ],
    outputs: [
      {
        target: output.target,
        options: ['-map', '0:v:0', '-c:v', 'copy', '-bsf:v', FIRST_PACKET, ...sound, ...output.options],
      },
      {
        target: 'pipe:1',
        options: [
          ...words(`-map 0:v:0 -c:v copy -bsf:v noise=amount=0:drop=not(key),${FIRST_PACKET}`),
          ...words('-flush_packets 1 -f framecrc'),
        ],
      },
    ],
  };
}
