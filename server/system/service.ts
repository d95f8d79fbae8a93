import { statfs } from 'node:fs/promises';
import type { Knex } from 'knex';
import type { HealthReport } from './schema.ts';

/** A check of one part: a short detail when it works, a throw when it does not. */
export type PartCheck = () => Promise<string>;

export interface SystemServiceOptions {
  readonly db: Knex;
  readonly recordingsDir: string;
  readonly version: string;
  /** Checks of outside tools; each is asked at most every 30 s, since they start processes. */
  readonly ffmpeg: PartCheck;
  readonly worker: PartCheck;
}

const reuseMs = 30_000;
const deadlineMs = 5_000;

/** Says whether the parts work. Never throws: a part that fails is an answer. */
export function createSystemService(options: SystemServiceOptions) {
  const ffmpeg = reusing(options.ffmpeg);
  const worker = reusing(options.worker);
  return {
    async report(): Promise<HealthReport> {
      const [database, ffmpegPart, workerPart, disk] = await Promise.all([
        check(async () => {
          await options.db.raw('select 1');
          return String(options.db.client.config.client);
        }),
        check(ffmpeg),
        check(worker),
        check(async () => {
          const { bavail, bsize } = await statfs(options.recordingsDir);
          if (bavail <= 0) throw new Error('no space left for recordings');
          return `${Math.floor((bavail * bsize) / 1e9)} GB free`;
        }),
      ]);
      const parts = { database, ffmpeg: ffmpegPart, worker: workerPart, disk };
      const isOk = Object.values(parts).every((part) => part.isOk);
      return { status: isOk ? 'ok' : 'failing', version: options.version, parts };
    },
  };
}
export type SystemService = ReturnType<typeof createSystemService>;

async function check(work: PartCheck): Promise<{ isOk: boolean; detail: string | null }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return { isOk: true, detail: await Promise.race([work(), late]) };
  } catch (error) {
    return { isOk: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function reusing(work: PartCheck): PartCheck {
  let last: { at: number; answer: Promise<string> } | undefined;
  return () => {
    if (!last || Date.now() - last.at > reuseMs) last = { at: Date.now(), answer: work() };
    return last.answer;
  };
}
