import { runTool } from './run-tool.ts';
import { isMediaError } from '../errors.ts';

/** Versions of the outside programs, as they print them; undefined where one is not installed or does not run. */
export interface ToolVersions {
  ffmpeg: string | undefined;
  ffprobe: string | undefined;
  /** From util-linux; ends ffmpeg with the server. */
  setpriv: string | undefined;
}

/** Asks each outside program for its version (about 50 ms each, at once); for health pages and start-up checks. */
export async function readToolVersions(): Promise<ToolVersions> {
  const [ffmpeg, ffprobe, setpriv] = await Promise.all([
    version('ffmpeg', '-version', /^ffmpeg version (\S+)/),
    version('ffprobe', '-version', /^ffprobe version (\S+)/),
    version('setpriv', '--version', /([\d.]+)\s*$/),
  ]);
  return { ffmpeg, ffprobe, setpriv };
}

let known: Promise<string | undefined> | undefined;

/** ffmpeg's version, asked once in the life of this process; to keep beside results. */
export function ffmpegVersion(): Promise<string | undefined> {
  known ??= version('ffmpeg', '-version', /^ffmpeg version (\S+)/);
  return known;
}

async function version(program: string, flag: string, pattern: RegExp): Promise<string | undefined> {
  try {
    const { stdout } = await runTool(program, [flag], { deadlineMs: 5_000 });
    return pattern.exec(stdout)?.[1];
  } catch (error) {
    if (isMediaError(error, 'tool-missing', 'timeout')) return undefined;
    throw error;
  }
}
