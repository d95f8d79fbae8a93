import { open } from 'node:fs/promises';
import { Readable, Writable } from 'node:stream';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorFromStderr } from '../process/ffmpeg-errors.ts';
import { runFfmpeg } from '../process/ffmpeg.ts';
import { readBoxes } from './boxes.ts';
import { readAt } from './fmp4.ts';
import { words } from '../process/words.ts';

/** Picture and speed of the H.264 that stands in for H.265: at most 1280 wide, no B-frames, so no reordering delay. */
export const H264_FALLBACK: readonly string[] = [
  ...words("-map 0:v:0 -map 0:a:0? -vf scale='min(1280,iw)':-2 -pix_fmt yuv420p"),
  ...words('-c:v libx264 -preset ultrafast -tune zerolatency -crf 26 -threads 2'),
  ...words('-sc_threshold 0 -g 600'),
];

/** A piece of a segment file to transcode: whole fragments, the first starting with a key frame. */
export interface ChunkRequest {
  file: string;
  initBytes: number;
  offset: number;
  sizeBytes: number;
}

/** H.264 as fragmented MP4 on the same time line as the source. The init segment is the same for all chunks of a setup. */
export interface TranscodedChunk {
  init: Buffer;
  media: Buffer;
}

export interface ChunkTranscoder {
  /**
   * Transcodes a chunk, or gives the cached result. Equal requests under way are shared; a request whose callers have all
   * aborted is cancelled. @throws MediaError `rejected` (queue full), `cancelled`, `timeout`, `bad-output`, `tool-missing`
   */
  transcode(request: ChunkRequest, signal?: AbortSignal): Promise<TranscodedChunk>;
  /** Chunks being transcoded and waiting. */
  load(): { running: number; waiting: number };
}

interface Job {
  request: ChunkRequest;
  abort: AbortController;
  users: number;
  result: Promise<TranscodedChunk>;
  start: () => void;
}

const CHUNK_LIMIT_BYTES = 64_000_000;
const DEADLINE_MS = 60_000;
const WAITING_LIMIT = 16;

/** On-demand H.265 to H.264 for the archive. `cacheBytes` bounds the memory for results, the oldest-used leave first. */
export function createChunkTranscoder(options: {
  maxRunning: number;
  cacheBytes: number;
  log: Log;
}): ChunkTranscoder {
  const { maxRunning, cacheBytes, log } = options;
  const cache = new Map<string, TranscodedChunk>();
  const jobs = new Map<string, Job>();
  const waiting: Job[] = [];
  let running = 0;
  let cachedBytes = 0;

  const remember = (key: string, chunk: TranscodedChunk) => {
    cache.set(key, chunk);
    cachedBytes += sizeOf(chunk);
    for (const [oldest, value] of cache) {
      if (cachedBytes <= cacheBytes) break;
      cache.delete(oldest);
      cachedBytes -= sizeOf(value);
    }
  };
  const startNext = () => {
    while (running < maxRunning) {
      const job = waiting.shift();
      if (!job) return;
      running += 1;
      job.start();
    }
  };

  const createJob = (key: string, request: ChunkRequest): Job => {
    const abort = new AbortController();
    const turn = Promise.withResolvers<void>();
    const work = async () => {
      await turn.promise;
      try {
        abort.signal.throwIfAborted();
        const chunk = await transcodeChunk(request, abort.signal, log);
        remember(key, chunk);
        return chunk;
      } finally {
        running -= 1;
        startNext();
      }
    };
    const result = work().finally(() => jobs.delete(key));
    result.catch((error: unknown) => log.debug({ err: error }, 'a chunk was not transcoded'));
    return { request, abort, users: 0, result, start: () => turn.resolve() };
  };

  return {
    load: () => ({ running, waiting: waiting.length }),
    async transcode(request, signal) {
      const key = `${request.file} ${request.offset} ${request.sizeBytes}`;
      const cached = cache.get(key);
      if (cached) {
        cache.delete(key);
        cache.set(key, cached);
        return cached;
      }
      let job = jobs.get(key);
      if (!job || job.abort.signal.aborted) {
        if (waiting.length >= WAITING_LIMIT)
          throw new MediaError('rejected', 'too many chunks wait to be transcoded');
        job = createJob(key, request);
        jobs.set(key, job);
        waiting.push(job);
        startNext();
      }
      const mine = job;
      mine.users += 1;
      const leave = () => {
        mine.users -= 1;
        if (mine.users > 0) return;
        mine.abort.abort(new MediaError('cancelled', 'nobody waits for the chunk any more'));
      };
      if (signal?.aborted) leave();
      else signal?.addEventListener('abort', leave, { once: true });
      try {
        return await mine.result;
      } finally {
        signal?.removeEventListener('abort', leave);
      }
    },
  };
}

const sizeOf = (chunk: TranscodedChunk) => chunk.init.length + chunk.media.length;

async function transcodeChunk(
  request: ChunkRequest,
  signal: AbortSignal,
  log: Log,
): Promise<TranscodedChunk> {
  if (request.sizeBytes > CHUNK_LIMIT_BYTES)
    throw new MediaError('too-large', 'the chunk is too large to transcode');
  const file = await open(request.file, 'r');
  let input: Buffer;
  try {
    const [init, media] = await Promise.all([
      readAt(file, 0, request.initBytes),
      readAt(file, request.offset, request.sizeBytes),
    ]);
    input = Buffer.concat([init, media]);
  } finally {
    await file.close();
  }
  const parts: Buffer[] = [];
  let received = 0;
  const sink = new Writable({
    write(part: Buffer, _encoding, done) {
      received += part.length;
      parts.push(part);
      done(
        received > CHUNK_LIMIT_BYTES
          ? new MediaError('too-large', 'the transcoded chunk is too large')
          : null,
      );
    },
  });
  const end = await runFfmpeg(
    {
      inputs: [{ source: Readable.from([input]), options: ['-copyts', '-f', 'mp4'] }],
      outputs: [
        {
          target: sink,
          options: [
            ...H264_FALLBACK,
            ...words('-c:a copy -f mp4 -use_editlist 0 -video_track_timescale 90000'),
            ...words('-avoid_negative_ts make_non_negative'),
            ...words('-movflags +frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer'),
          ],
        },
      ],
    },
    { signal, deadlineMs: DEADLINE_MS, log },
  );
  const output = Buffer.concat(parts);
  const boxes = output.length > 0 ? readBoxes(output) : [];
  const firstMoof = boxes.find((box) => box.type === 'moof');
  if (!firstMoof)
    throw errorFromStderr(end.stderr, { code: 'bad-output', message: 'the chunk could not be transcoded' });
  return { init: output.subarray(0, firstMoof.start), media: output.subarray(firstMoof.start) };
}
