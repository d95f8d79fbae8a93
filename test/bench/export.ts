// Wall time of exporting 10 minutes (with check and SHA-256) against a bare `ffmpeg -f concat -c copy` of the same files.
// Usage: node test/bench/export.ts [rounds]
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportClip } from '#media/export/export-clip.ts';
import { silentLog as log } from '#media/log.ts';
import { runFfmpeg } from '#media/process/ffmpeg.ts';
import { words } from '#media/process/words.ts';
import { closeSegment, type ClosedSegment } from '#media/recorder/close-segment.ts';
import { segmentOutput } from '#media/recorder/pull-command.ts';
import { parsePartName } from '#media/recorder/segment-names.ts';
import { wallMs } from '#media/time.ts';
import { asFootage } from '../fixtures/synthetic-run.ts';
import { median, report, writeClip } from './clip.ts';

const rounds = Number(process.argv[2] ?? 7);
const startAt = wallMs(Date.parse('2026-03-01T08:00:00Z'));
const dir = await mkdtemp(join(tmpdir(), 'weian-bench-'));
const clip = await writeClip(dir, { seconds: 20, bitrate: '4M' });
const output = segmentOutput({ dir, runId: 'bench', segmentMs: 60_000, codec: 'h264' });
await runFfmpeg(
  {
    inputs: [{ source: clip, options: words('-stream_loop 29') }],
    outputs: [{ target: output.target, options: [...words('-map 0:v -c copy'), ...output.options] }],
  },
  { log, deadlineMs: 300_000 },
);
const segments: ClosedSegment[] = [];
for (const name of (await readdir(dir)).filter((each) => parsePartName(each)).sort()) {
  const closed = await closeSegment({ part: join(dir, name), dir, runId: 'bench', offsetMs: startAt });
  if (closed) segments.push(closed);
}
const list = join(dir, 'list.txt');
await writeFile(list, segments.map(({ file }) => `file '${file}'\n`).join(''));
const [bareOut, ownOut] = [join(dir, 'bare.mp4'), join(dir, 'own.mp4')];
const toAt = wallMs(startAt + 600_500);

const times = { bare: [] as number[], own: [] as number[] };
let sizeBytes = 0;
for (let round = 0; round < rounds + 1; round += 1) {
  for (const which of round % 2 === 0 ? (['bare', 'own'] as const) : (['own', 'bare'] as const)) {
    await Promise.all([rm(bareOut, { force: true }), rm(ownOut, { force: true })]);
    execFileSync('sync');
    const startedAt = performance.now();
    if (which === 'bare') {
      execFileSync('ffmpeg', words(`-nostdin -v error -f concat -safe 0 -i ${list} -c copy ${bareOut}`));
      sizeBytes = (await stat(bareOut)).size;
    } else {
      const result = await exportClip({
        segments: segments.map(asFootage),
        fromAt: startAt,
        toAt,
        out: ownOut,
        log,
      });
      if (result.files[0]?.frameCount !== 15_000) throw new Error(`${result.files[0]?.frameCount} frames`);
    }
    if (round > 0) times[which].push(performance.now() - startedAt); // the first round warms the caches
  }
}
await rm(dir, { recursive: true, force: true });
const [bareMs, ownMs] = [median(times.bare), median(times.own)];
const ratio = ownMs / bareMs;
report(
  {
    bench: 'export',
    minutes: 10,
    sizeBytes,
    rounds,
    bareMs,
    ownMs,
    ratio,
    times,
    target: 1.15,
  },
  `export of 10 min (${Math.round(sizeBytes / 1e6)} MB): ${Math.round(ownMs)} ms against ${Math.round(bareMs)} ms bare: ` +
    `ratio ${ratio.toFixed(2)} with check, SHA-256 and sync to disk`,
);
