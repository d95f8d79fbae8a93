import { spawn } from 'node:child_process';

/** What the strip at a picture's bottom edge says, with the frame's own time. */
export interface FrameStamp {
  /** Seconds since the file's or stream's first frame, as ffmpeg sees it. */
  ptsS: number;
  /** The channel's number in the simulated hospital. */
  cameraId: number;
  /** Frames since the simulator started, at the main stream's pace; wraps at 2^24. */
  frame: number;
}

/** What to read. */
export interface ReadOptions {
  /** ffmpeg input options before `-i`, for example `['-rtsp_transport', 'tcp']`. */
  input?: readonly string[];
  /** Stop after so many frames. */
  maxFrames?: number;
  /** Stop after so much time of the stream, seconds. */
  durationS?: number;
  /** Give up and kill ffmpeg then; what was read until then is returned. Default 30 000. */
  timeoutMs?: number;
}

const CELLS = 40;
/** Least difference of the two sync blocks' luma for a strip to be there. */
const MIN_CONTRAST = 60;

function checkBits(word: bigint): number {
  const padded = (word << 4n) | 0b1010n;
  let check = 0n;
  for (let shift = 0n; shift < 36n; shift += 6n) check ^= (padded >> shift) & 0b111111n;
  return Number(check);
}

/**
 * Reads one strip: 40 luma means, left to right. Null when the sync blocks or the check bits do not fit (black picture,
 * foreign picture, too much damage).
 * Layout: `1 0`, 24 bits frame, 8 bits camera, 6 check bits; see rtsp/picture.py, the writer.
 */
export function decodeStamp(cells: Uint8Array): { cameraId: number; frame: number } | null {
  const [on, off] = [cells[0] ?? 0, cells[1] ?? 0];
  if (cells.length !== CELLS || on - off < MIN_CONTRAST) return null;
  const threshold = (on + off) / 2;
  let bits = 0n;
  for (const luma of cells) bits = (bits << 1n) | (luma > threshold ? 1n : 0n);
  const word = (bits >> 6n) & 0xffffffffn;
  if (Number(bits & 0b111111n) !== checkBits(word)) return null;
  return { frame: Number(word >> 8n), cameraId: Number(word & 0xffn) };
}

/** ffmpeg's filter that turns every frame into its 40 block means. The strip's middle rows are taken: its edge is smeared. */
const FILTER = `crop=iw:ih/60:0:ih-ih/40,scale=${CELLS}:1:flags=area,format=gray,showinfo`;

/**
 * Reads the frame stamps of a file or URL by letting ffmpeg decode it: one entry a frame in the order of display, null where
 * no stamp can be read. An entry is null only for its stamp; a stream that ends early simply gives fewer entries.
 * @throws Error when ffmpeg gives no frame at all; the message is ffmpeg's last lines, without the URL's password.
 */
export async function readFrameStamps(
  source: string,
  options: ReadOptions = {},
): Promise<Array<FrameStamp | null>> {
  const limits = [
    ...(options.maxFrames === undefined ? [] : ['-frames:v', String(options.maxFrames)]),
    ...(options.durationS === undefined ? [] : ['-t', String(options.durationS)]),
  ];
  const args = [
    '-hide_banner',
    '-nostdin',
    '-nostats',
    '-loglevel',
    'info',
    ...(options.input ?? []),
    '-i',
    source,
    '-an',
    '-vf',
    FILTER,
    ...limits,
  ];
  const child = spawn('ffmpeg', [...args, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
  const strips: Buffer[] = [];
  let log = '';
  child.stdout.on('data', (chunk: Buffer) => strips.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
  } finally {
    clearTimeout(timer);
  }
  const bytes = Buffer.concat(strips);
  const count = Math.floor(bytes.length / CELLS);
  if (count === 0) {
    const tail = log
      .trim()
      .split('\n')
      .slice(-6)
      .join('\n')
      .replaceAll(/\/\/[^/@\s]*@/g, '//***@');
    throw new Error(`ffmpeg read no frame: ${tail}`);
  }
  const times = [...log.matchAll(/\bn:\s*\d+ pts:\s*\S+\s+pts_time:\s*([\d.+-]+)/g)].map((m) => Number(m[1]));
  return Array.from({ length: count }, (_, i) => {
    const stamp = decodeStamp(bytes.subarray(i * CELLS, (i + 1) * CELLS));
    return stamp && { ptsS: times[i] ?? Number.NaN, ...stamp };
  });
}
