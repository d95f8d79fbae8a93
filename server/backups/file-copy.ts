import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BackupError, type BackupTarget } from './types.ts';

/** One step with one file may take so long: half a minute, and what a very slow line needs. */
const stepMs = 30_000;
const slowestBytesPerMs = 100;
const deadlineOf = (sizeBytes: number) => Math.ceil(stepMs + sizeBytes / slowestBytesPerMs);

/** Ends the name of a file that is being brought back. */
export const restoreSuffix = '.restore';

/**
 * Copies one file to a target and proves the copy: hashed here, put there, read back and hashed again. What does not agree is taken away
 * again. Safe to repeat.
 * @param file `sizeBytes` as the index knows it; `knownSum` what it had when it was copied before
 * @returns its SHA-256 in hex; undefined when the file is gone here, as when retention came first
 * @throws BackupError source-short or source-altered when the file here is not what it was; otherwise what is wrong with the target
 */
export async function copyOut(
  target: BackupTarget,
  key: string,
  file: { path: string; sizeBytes: number; knownSum: string | undefined },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { path, sizeBytes, knownSum } = file;
  const found = await stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (!found) return undefined;
  if (found.size !== sizeBytes)
    throw new BackupError('source-short', `${found.size} bytes instead of ${sizeBytes}`);
  const { sha256 } = await sumOf(createReadStream(path), signal);
  if (knownSum !== undefined && knownSum !== sha256)
    throw new BackupError('source-altered', 'the file is not what was copied before');
  await within(sizeBytes, signal, (limited) => target.put(key, { path, sizeBytes, sha256 }, limited));
  const there = await within(sizeBytes, signal, async (limited) =>
    sumOf(await target.read(key, limited), limited),
  );
  if (there.sha256 === sha256 && there.sizeBytes === sizeBytes) return sha256;
  await within(0, signal, (limited) => target.remove(key, limited));
  throw new BackupError('bad-copy', 'what was read back is not what was sent');
}

/**
 * Brings one file back: read into a name that nobody takes for a recording, hashed on the way, renamed when it is the right one.
 * @throws BackupError copy-altered when it is not what was copied, gone when it is not there; otherwise what is wrong with the target
 */
export async function bringBack(
  target: BackupTarget,
  key: string,
  file: { path: string; sizeBytes: number; sha256: string },
  signal: AbortSignal,
): Promise<void> {
  const part = `${file.path}${restoreSuffix}`;
  await mkdir(dirname(file.path), { recursive: true });
  try {
    const found = await within(file.sizeBytes, signal, async (limited) => {
      const hash = createHash('sha256');
      let sizeBytes = 0;
      const meter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          sizeBytes += chunk.length;
          // More than was copied is wrong already, and must not fill the disk.
          done(
            sizeBytes > file.sizeBytes ? new BackupError('copy-altered', 'longer than it was') : null,
            chunk,
          );
        },
      });
      const source = await target.read(key, limited);
      await pipeline(source, meter, createWriteStream(part, { flush: true }), { signal: limited });
      return { sha256: hash.digest('hex'), sizeBytes };
    });
    if (found.sha256 !== file.sha256 || found.sizeBytes !== file.sizeBytes)
      throw new BackupError('copy-altered', 'the copy is not what was copied');
    await rename(part, file.path);
    await syncFolder(dirname(file.path));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** SHA-256 in hex, and length, of a stream. */
export async function sumOf(
  stream: Readable,
  signal: AbortSignal,
): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await pipeline(
    stream,
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
      }
    },
    { signal },
  );
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** Gives up as `slow` after the time that `sizeBytes` may take, even when the step itself cannot be stopped, as on a share that hangs. */
async function within<T>(
  sizeBytes: number,
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const deadline = AbortSignal.timeout(deadlineOf(sizeBytes));
  const limited = AbortSignal.any([signal, deadline]);
  const stopped = Promise.withResolvers<never>();
  const stop = () =>
    stopped.reject(
      signal.aborted
        ? (signal.reason as Error)
        : new BackupError('slow', `no end within ${deadlineOf(sizeBytes)} ms`),
    );
  limited.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([step(limited), stopped.promise]);
  } catch (error) {
    if (signal.aborted || error instanceof BackupError) throw error;
    if (deadline.aborted) throw new BackupError('slow', 'the time was up', { cause: error });
    // A stream that broke off in the middle has an error of the network or the disk.
    throw new BackupError(isNoRoom(error) ? 'full' : 'unreachable', String(error), { cause: error });
  } finally {
    limited.removeEventListener('abort', stop);
  }
}

const isNoRoom = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOSPC';

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
