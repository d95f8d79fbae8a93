import { errorFromStderr } from './ffmpeg-errors.ts';
import { runTool } from './run-tool.ts';
import { MediaError } from '../errors.ts';

/** One stream of a file or an RTSP source. What ffprobe does not know is left out. */
export interface MediaStream {
  kind: 'video' | 'audio';
  /** ffmpeg's name: `h264`, `hevc`, `aac`, `pcm_alaw`. */
  codec: string;
  profile?: string;
  width?: number;
  height?: number;
  framesPerSecond?: number;
  hasBFrames?: boolean;
  sampleRateHz?: number;
}

/** Facts about a source, in the order ffprobe lists its streams. `durationMs` is left out for live sources. */
export interface MediaFacts {
  streams: MediaStream[];
  durationMs?: number;
}

/**
 * Asks ffprobe what a file or URL holds. For RTSP this opens a session on the camera for about a second.
 * ffprobe is run directly: fluent-ffmpeg's own call can be neither cancelled nor given a deadline.
 * @throws MediaError `unreachable`, `unauthorized`, `rejected`, `timeout`, `cancelled`, `no-media`, `tool-missing`
 */
export async function probeMedia(
  source: string,
  options: { deadlineMs?: number; signal?: AbortSignal; transport?: 'tcp' | 'udp' } = {},
): Promise<MediaFacts> {
  const deadlineMs = options.deadlineMs ?? 10_000;
  const network = source.startsWith('rtsp')
    ? ['-rtsp_transport', options.transport ?? 'tcp', '-timeout', String(deadlineMs * 1000)]
    : [];
  const entries =
    'stream=codec_type,codec_name,profile,width,height,avg_frame_rate,has_b_frames,sample_rate:format=duration';
  const result = await runTool(
    'ffprobe',
    ['-v', 'error', ...network, '-show_entries', entries, '-of', 'json', '-i', source],
    { deadlineMs, ...(options.signal ? { signal: options.signal } : {}) },
  );
  const facts = readFacts(result.stdout);
  if (facts.streams.length === 0) {
    const fallback = { code: 'no-media', message: 'ffprobe found no stream' } as const;
    throw errorFromStderr(result.stderr.split('\n').filter(Boolean).slice(-40), fallback);
  }
  return facts;
}

function readFacts(json: string): MediaFacts {
  let raw: unknown;
  try {
    raw = JSON.parse(json || '{}');
  } catch (error) {
    throw new MediaError('protocol', 'ffprobe answered something that is not JSON', {}, { cause: error });
  }
  const { streams, format } = raw as { streams?: Record<string, unknown>[]; format?: { duration?: string } };
  const facts: MediaFacts = { streams: (streams ?? []).flatMap(readStream) };
  const seconds = Number(format?.duration);
  if (format?.duration !== undefined && Number.isFinite(seconds))
    facts.durationMs = Math.round(seconds * 1000);
  return facts;
}

function readStream(raw: Record<string, unknown>): MediaStream[] {
  const kind = raw.codec_type;
  if ((kind !== 'video' && kind !== 'audio') || typeof raw.codec_name !== 'string') return [];
  const stream: MediaStream = { kind, codec: raw.codec_name };
  if (typeof raw.profile === 'string' && raw.profile !== 'unknown') stream.profile = raw.profile;
  if (kind === 'audio') {
    if (Number(raw.sample_rate) > 0) stream.sampleRateHz = Number(raw.sample_rate);
    return [stream];
  }
  if (Number(raw.width) > 0) stream.width = Number(raw.width);
  if (Number(raw.height) > 0) stream.height = Number(raw.height);
  if (typeof raw.has_b_frames === 'number') stream.hasBFrames = raw.has_b_frames > 0;
  const [frames = 0, seconds = 0] = String(raw.avg_frame_rate).split('/').map(Number);
  if (frames > 0 && seconds > 0) stream.framesPerSecond = frames / seconds;
  return [stream];
}
