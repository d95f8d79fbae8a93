import type { Readable } from 'node:stream';

/** A stretch of time, epoch ms, end exclusive. */
export interface SpanMs {
  readonly fromAt: number;
  readonly toAt: number;
}

/**
 * What can be wrong with a target or a copy. `unreachable`, `slow`, `full`, `refused`, `not-mounted` and `no-bucket` are states of the
 * target: everything waits for them. The others concern one file.
 */
export const targetProblems = ['unreachable', 'slow', 'full', 'refused', 'not-mounted', 'no-bucket'] as const;
export type TargetProblem = (typeof targetProblems)[number];
export type FileProblem = 'gone' | 'bad-copy' | 'copy-altered' | 'source-short' | 'source-altered';

/** A target or one file on it does not do what is asked. */
export class BackupError extends Error {
  readonly code: TargetProblem | FileProblem;

  constructor(code: TargetProblem | FileProblem, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BackupError';
    this.code = code;
  }
}

/** Whether everything on the target has to wait. */
export function isTargetProblem(code: string): code is TargetProblem {
  return (targetProblems as readonly string[]).includes(code);
}

/** A second place for files. Every method throws BackupError. Keys are relative paths with `/`. */
export interface BackupTarget {
  /** Whether files can be put there now; a folder that was prepared before must still be the same one. */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Puts a file there whole or not at all, over one of that name.
   * @param file its absolute path here, its size and its SHA-256 in hex
   */
  put(
    key: string,
    file: { path: string; sizeBytes: number; sha256: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** The file's bytes. @throws BackupError gone */
  read(key: string, signal: AbortSignal): Promise<Readable>;
  /** One that is gone already is as good. */
  remove(key: string, signal: AbortSignal): Promise<void>;
  close(): void;
}
