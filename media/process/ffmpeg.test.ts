import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { silentLog as log } from '../log.ts';
import { errorFromStderr } from './ffmpeg-errors.ts';
import { runFfmpeg, startFfmpeg, type FfmpegProgress } from './ffmpeg.ts';

const TEST_PICTURE = { source: 'testsrc=size=64x48:rate=25', options: ['-f', 'lavfi'] };
const ENDLESS = {
  inputs: [{ source: TEST_PICTURE.source, options: ['-re', '-f', 'lavfi'] }],
  outputs: [{ target: '-', options: ['-f', 'null'] }],
};

describe('ffmpeg', () => {
  it('runs to the end, reports progress and lines, and says what it ran', async () => {
    const progress: FfmpegProgress[] = [];
    const lines: string[] = [];
    const end = await runFfmpeg(
      {
        inputs: [TEST_PICTURE],
        outputs: [{ target: 'pipe:1', options: ['-frames:v', '10', '-f', 'framecrc'] }],
      },
      { log, onProgress: (each) => progress.push(each), onLine: (line) => lines.push(line) },
    );
    expect(end).toMatchObject({ exitCode: 0, signal: null });
    expect(lines.filter((line) => line.startsWith('0,'))).toHaveLength(10);
    expect(progress.at(-1)?.frames).toBe(10);
    expect(end.arguments).toContain('framecrc');
  });

  it('takes and gives streams', async () => {
    const parts: Buffer[] = [];
    const sink = new Writable({ write: (part: Buffer, _encoding, done) => (parts.push(part), done()) });
    const ppm = Buffer.concat([Buffer.from('P6 2 2 255\n'), Buffer.alloc(12, 200)]);
    const input = { source: Readable.from([ppm]), options: ['-f', 'image2pipe', '-c:v', 'ppm'] };
    await runFfmpeg(
      { inputs: [input], outputs: [{ target: sink, options: ['-f', 'rawvideo', '-pix_fmt', 'rgb24'] }] },
      { log },
    );
    expect(Buffer.concat(parts)).toEqual(Buffer.alloc(12, 200));
  });

  it('ends at the deadline, and when cancelled before and after its start', async () => {
    await expect(runFfmpeg(ENDLESS, { log, deadlineMs: 400 })).rejects.toMatchObject({ code: 'timeout' });
    await expect(runFfmpeg(ENDLESS, { log, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    await expect(runFfmpeg(ENDLESS, { log, signal: AbortSignal.timeout(400) })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('kills a child that does not listen, and stop may be called twice', async () => {
    const stuck = startFfmpeg(
      { inputs: [{ source: new PassThrough(), options: ['-f', 'h264'] }], outputs: ENDLESS.outputs },
      { log },
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.all([stuck.stop(), stuck.stop()]);
    const pid = stuck.pid();
    expect(pid).toBeDefined();
    expect(() => process.kill(pid as number, 0)).toThrow('ESRCH');
  }, 15_000);

  it('judges nothing by itself: a failed command resolves with its last words, without passwords', async () => {
    const source = 'rtsp://viewer:hunter2@127.0.0.1:1/x';
    const end = await runFfmpeg({ inputs: [{ source }], outputs: ENDLESS.outputs }, { log });
    expect(end.exitCode).not.toBe(0);
    expect(JSON.stringify(end)).not.toContain('hunter2');
    expect(JSON.stringify(end)).toContain('rtsp://***@127.0.0.1');
    const error = errorFromStderr(end.stderr, { code: 'internal', message: 'no stream' });
    expect(error.code).toBe('unreachable');
  });
});

describe('sayings', () => {
  const fallback = { code: 'no-media', message: 'ended' } as const;
  it.each([
    ['av_interleaved_write_frame(): No space left on device', 'no-space'],
    ['method DESCRIBE failed: 401 Unauthorized', 'unauthorized'],
    ['method DESCRIBE failed: 404 Not Found', 'rejected'],
    ['rtsp://***@x: Connection timed out', 'timeout'],
    ['something new', 'no-media'],
  ])('%s', (line, code) => {
    expect(errorFromStderr(['[warning] other', line], fallback).code).toBe(code);
  });
});
