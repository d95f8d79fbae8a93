import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseSegmentName } from '#media/recorder/segment-names.ts';
import { readFrameStamps } from '../simulators/frame-stamp.ts';

/** One recorded picture: when it was taken by the server's clock, and the number the camera drew into it. */
export interface RecordedFrame {
  /** Epoch ms. */
  readonly at: number;
  readonly frame: number;
  readonly cameraId: number;
}

/**
 * Every readable picture of the finished recording files of a channel, oldest first.
 * @param recordingsDir `recordings` of the data folder
 */
export async function readRecordedFrames(recordingsDir: string, channelId: string): Promise<RecordedFrame[]> {
  const frames: RecordedFrame[] = [];
  for (const { path, startAt } of listSegments(recordingsDir, channelId))
    for (const stamp of await readFrameStamps(path))
      if (stamp)
        frames.push({ at: startAt + stamp.ptsS * 1000, frame: stamp.frame, cameraId: stamp.cameraId });
  return frames;
}

/** When the last finished recording file of a channel ends, epoch ms; 0 before the first. */
export function recordedUntil(recordingsDir: string, channelId: string): number {
  return Math.max(0, ...listSegments(recordingsDir, channelId).map((segment) => segment.endAt));
}

function listSegments(recordingsDir: string, channelId: string) {
  return readdirSync(join(recordingsDir, channelId), { recursive: true, encoding: 'utf8' })
    .flatMap((file) => {
      const name = parseSegmentName(basename(file));
      if (!name) return [];
      const { startAt, durationMs } = name;
      return [{ path: join(recordingsDir, channelId, file), startAt, endAt: startAt + durationMs }];
    })
    .sort((a, b) => a.startAt - b.startAt);
}
