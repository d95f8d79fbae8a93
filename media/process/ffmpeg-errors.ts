import { MediaError, type MediaErrorCode } from '../errors.ts';

/** What ffmpeg 5.1 says on stderr, and what it means. The first match from the end of the text counts. */
const SAYINGS: readonly (readonly [RegExp, MediaErrorCode])[] = [
  [/No space left on device|Disk quota exceeded/i, 'no-space'],
  [/401 Unauthorized|403 Forbidden/i, 'unauthorized'],
  [/404 Not Found|4\d\d [A-Z][A-Za-z ]+/, 'rejected'],
  [
    /Connection refused|No route to host|Network is unreachable|Failed to resolve hostname|Name or service not known/i,
    'unreachable',
  ],
  [/Connection timed out|Operation timed out/i, 'timeout'],
  [/Invalid data found when processing input|Could not find codec parameters/i, 'no-media'],
];

/**
 * Turns ffmpeg's last words into a MediaError. `fallback` is used where no saying is known.
 * Source: messages seen with ffmpeg 5.1.9 (libavutil/error.c, libavformat/rtsp.c).
 */
export function errorFromStderr(
  stderr: readonly string[],
  fallback: { code: MediaErrorCode; message: string },
): MediaError {
  for (const line of stderr.toReversed()) {
    const known = SAYINGS.find(([saying]) => saying.test(line));
    if (known) return new MediaError(known[1], `${fallback.message}: ${line}`, { stderr: [...stderr] });
  }
  return new MediaError(fallback.code, fallback.message, { stderr: [...stderr] });
}
