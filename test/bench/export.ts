// Wall time of exporting 10 and 60 minutes (with check, SHA-256 and sync to disk) against a bare `ffmpeg -f concat -c copy` of the same
// files. Usage: node test/bench/export.ts [rounds]
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
await measure(10, rounds, 1.15);
await measure(60, Math.ceil(rounds / 2), 1.1);
await rm(dir, { recursive: true, force: true });

/** Writes one recording and exports all of it `rounds` times, in turn with the bare command. */
async function measure(minutes: number, rounds: number, target: number): Promise<void> {
  const folder = await mkdtemp(join(dir, 'run-'));
  const output = segmentOutput({ dir: folder, runId: 'bench', segmentMs: 60_000, codec: 'h264' });
  await runFfmpeg(
    {
      inputs: [{ source: clip, options: words(`-stream_loop ${minutes * 3 - 1}`) }],
      outputs: [{ target: output.target, options: [...words('-map 0:v -c copy'), ...output.options] }],
    },
    { log, deadlineMs: 600_000 },
  );
  const segments: ClosedSegment[] = [];
  for (const name of (await readdir(folder)).filter((each) => parsePartName(each)).sort()) {
    const closed = await closeSegment({
      part: join(folder, name),
      dir: folder,
      runId: 'bench',
      offsetMs: startAt,
    });
    if (closed) segments.push(closed);
  }
  const list = join(folder, 'list.txt');
  await writeFile(list, segments.map(({ file }) => `file '${file}'\n`).join(''));
  const [bareOut, ownOut] = [join(folder, 'bare.mp4'), join(folder, 'own.mp4')];
  const toAt = wallMs(startAt + minutes * 60_000 + 500);

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
        if (result.files[0]?.frameCount !== minutes * 1_500)
          throw new Error(`${result.files[0]?.frameCount} frames`);
      }
      if (round > 0) times[which].push(performance.now() - startedAt); // the first round warms the caches
    }
  }
  await rm(folder, { recursive: true, force: true });
  const [bareMs, ownMs] = [median(times.bare), median(times.own)];
  const ratio = ownMs / bareMs;
  report(
    {
      bench: 'export',
      minutes,
      sizeBytes,
      rounds,
      bareMs,
      ownMs,
      ratio,
      times,
      target,
    },
    `export of ${minutes} min (${Math.round(sizeBytes / 1e6)} MB): ${Math.round(ownMs)} ms against ${Math.round(bareMs)} ms bare: ` +
      `ratio ${ratio.toFixed(2)} with check, SHA-256 and sync to disk`,
  );
}
