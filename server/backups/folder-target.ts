import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BackupError, type BackupTarget } from './types.ts';

const markName = '.weian-backup';
/** Left free, so that the disk's own bookkeeping still fits. */
const spareBytes = 64_000_000;

/**
 * A folder, mostly on another disk or a share. A mark made when it is set up tells that the disk is really mounted: without it the copies
 * would fill the disk below the mount point.
 * @param id of the target, which the mark carries
 */
export function createFolderTarget({ id, path: root }: { id: string; path: string }): BackupTarget {
  const pathOf = (key: string) => {
    const path = resolve(root, key);
    if (!path.startsWith(`${resolve(root)}${sep}`))
      throw new BackupError('gone', 'a name outside the target');
    return path;
  };
  return {
    async check(signal) {
      signal.throwIfAborted();
      const mark = await readFile(join(root, markName), 'utf8').catch((error: unknown) => {
        throw toBackupError(error, 'not-mounted');
      });
      if (mark.trim() !== id) throw new BackupError('not-mounted', 'the folder belongs to another target');
    },
    async put(key, { path, sizeBytes }, signal) {
      const target = pathOf(key);
      const part = `${target}.part`;
      try {
        const { bavail, bsize } = await statfs(root);
        if (bavail * bsize < sizeBytes + spareBytes)
          throw new BackupError('full', `${sizeBytes} bytes do not fit`);
        await mkdir(dirname(target), { recursive: true });
        await pipeline(createReadStream(path), createWriteStream(part, { flush: true }), { signal });
        await rename(part, target);
        await syncFolder(dirname(target));
      } catch (error) {
        await rm(part, { force: true });
        throw toBackupError(error, 'unreachable');
      }
    },
    async read(key): Promise<Readable> {
      const path = pathOf(key);
      await stat(path).catch((error: unknown) => {
        throw toBackupError(error, 'gone');
      });
      return createReadStream(path);
    },
    async remove(key) {
      await rm(pathOf(key), { force: true });
    },
    close: () => undefined,
  };
}

/**
 * Makes a folder ready to be a target: it must be there, be writable and carry no other target's mark.
 * @throws BackupError not-mounted when it is not there or belongs to another target, refused when it cannot be written to
 */
export async function prepareFolder(id: string, root: string): Promise<void> {
  try {
    await writeFile(join(root, markName), `${id}\n`, { flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw toBackupError(error, 'not-mounted');
    const mark = await readFile(join(root, markName), 'utf8');
    if (mark.trim() !== id) throw new BackupError('not-mounted', 'the folder belongs to another target');
  }
}

/** A power cut after the rename must not take the name away again. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function toBackupError(error: unknown, whenMissing: 'not-mounted' | 'gone' | 'unreachable'): Error {
  if (error instanceof BackupError) return error;
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'TimeoutError') return error as Error;
  if (code === 'ENOENT' || code === 'ENOTDIR') return new BackupError(whenMissing, message, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT') return new BackupError('full', message, { cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new BackupError('refused', message, { cause: error });
  return new BackupError('unreachable', message, { cause: error });
}
