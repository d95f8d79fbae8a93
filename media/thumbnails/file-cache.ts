import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../log.ts';

/** Files that can be made again, kept on disk within bounds; those not used for longest leave first. */
export interface FileCache {
  /** undefined when it is not there; a file that was lost on disk is simply not there. */
  get(key: string): Promise<Buffer | undefined>;
  /** Keeps `data`; never throws for a full disk: a cache that cannot keep is no failure of what was asked. */
  put(key: string, data: Buffer): Promise<void>;
  /** Drops what `isGone` names. */
  dropWhere(isGone: (key: string) => boolean): Promise<number>;
  keys(): string[];
  usage(): { readonly count: number; readonly bytes: number };
}

const KEY = /^[\w-]{1,64}\/[\w.-]{1,150}$/;

/**
 * Opens a cache folder and takes up what an earlier run left, oldest first. Keys are `<folder>/<name>` of plain letters, digits, `.`, `-` and `_`.
 * Unfinished files of a run that was killed are deleted.
 */
export async function openFileCache(options: {
  dir: string;
  maxFiles: number;
  maxBytes: number;
  log: Log;
}): Promise<FileCache> {
  const { dir, maxFiles, maxBytes, log } = options;
  await mkdir(dir, { recursive: true });
  const entries = new Map<string, number>();
  let bytes = 0;

  const left: { key: string; size: number; usedAt: number }[] = [];
  for (const name of await readdir(dir, { recursive: true })) {
    const facts = await stat(join(dir, name));
    if (!facts.isFile()) continue;
    if (KEY.test(name) && !name.endsWith('.new'))
      left.push({ key: name, size: facts.size, usedAt: facts.mtimeMs });
    else await rm(join(dir, name));
  }
  for (const { key, size } of left.toSorted((a, b) => a.usedAt - b.usedAt)) {
    entries.set(key, size);
    bytes += size;
  }
  await makeRoom();

  async function drop(key: string): Promise<void> {
    bytes -= entries.get(key) ?? 0;
    entries.delete(key);
    await rm(join(dir, key), { force: true });
  }
  async function makeRoom(): Promise<void> {
    while (entries.size > maxFiles || bytes > maxBytes) {
      const oldest = entries.keys().next().value;
      if (oldest === undefined) return;
      await drop(oldest);
    }
  }

  return {
    async get(key) {
      const size = entries.get(key);
      if (size === undefined) return undefined;
      entries.delete(key);
      entries.set(key, size);
      try {
        return await readFile(join(dir, key));
      } catch (error) {
        log.debug({ key, err: error }, 'a cached file was lost');
        if (entries.delete(key)) bytes -= size;
        return undefined;
      }
    },
    async put(key, data) {
      if (!KEY.test(key)) throw new RangeError('not a cache key');
      const path = join(dir, key);
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(`${path}.new`, data);
        await rename(`${path}.new`, path);
      } catch (error) {
        log.warn({ key, err: error }, 'a file could not be cached');
        return;
      }
      bytes += data.length - (entries.get(key) ?? 0);
      entries.delete(key);
      entries.set(key, data.length);
      await makeRoom();
    },
    async dropWhere(isGone) {
      const gone = [...entries.keys()].filter(isGone);
      for (const key of gone) await drop(key);
      return gone.length;
    },
    keys: () => [...entries.keys()],
    usage: () => ({ count: entries.size, bytes }),
  };
}
