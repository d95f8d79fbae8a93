/** Why a media operation failed. The server maps each to its own code, status and sentence (server/errors.ts). */
export type MediaErrorCode =
  | 'unreachable' // nothing answers at the address: refused, no route, name unknown
  | 'timeout' // the deadline passed
  | 'unauthorized' // the peer refused the credentials, or wants some
  | 'locked' // the peer says the account is locked
  | 'protocol' // the peer answered something that breaks its protocol
  | 'too-large' // the answer passed its size, count or depth bound
  | 'not-supported' // the peer says it cannot, or lacks the service
  | 'rejected' // the peer understood and refused (SOAP fault, RTSP 4xx)
  | 'no-media' // connected, but no usable picture came
  | 'bad-output' // what ffmpeg wrote failed its check
  | 'no-space' // the disk is full or the quota is reached
  | 'tool-missing' // an outside program is not installed
  | 'cancelled' // the caller asked to stop
  | 'internal';

/**
 * A failure of a peer, a process or a file, told apart by `code`. `message` is for logs and engineers, is in English and
 * never holds a password; `details` is JSON-safe.
 */
export class MediaError extends Error {
  readonly code: MediaErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: MediaErrorCode,
    message: string,
    details: Record<string, unknown> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'MediaError';
    this.code = code;
    this.details = details;
  }
}

/** `error` itself if it is a MediaError with one of `codes` (any code if none is named). */
export function isMediaError(error: unknown, ...codes: MediaErrorCode[]): error is MediaError {
  return error instanceof MediaError && (codes.length === 0 || codes.includes(error.code));
}
