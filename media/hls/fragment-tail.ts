import { open, type FileHandle } from 'node:fs/promises';
import { MediaError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ClosedSegment } from '../recorder/close-segment.ts';
import type { OpenSegment } from '../recorder/segment-writer.ts';
import { toWall, type WallMs } from '../time.ts';
import { listFragments, readAt, readFragmentAt, readInit, type Fmp4Init, type Fragment } from './fmp4.ts';

/** A recorder as the live side sees it. */
export interface TailSource {
  current(): OpenSegment | undefined;
  previous(): ClosedSegment | undefined;
  anchor(): { offsetMs: number } | undefined;
}

/** One fragment that viewers can fetch. */
export interface LiveFragment {
  /** Counts on over all runs of this tail, from 0. */
  number: number;
  runId: string;
  init: Fmp4Init;
  /** Counts the different init segments of this tail, from 0. */
  initNumber: number;
  fragment: Fragment;
  /** Wall time of the first picture; undefined until the run has an anchor. */
  startAt: WallMs | undefined;
  /** Does not follow on from the fragment before it: another run, another setup, or fragments were missed. */
  isDiscontinuity: boolean;
}

interface TailFile {
  handle: FileHandle;
  runId: string;
  sequence: number;
  init: Fmp4Init | undefined;
  offset: number;
}

/** How many fragments of the files on disk a new viewer gets at once. */
const HISTORY = 4;

/**
 * Follows the file that a recorder writes, fragment by fragment, reading only their heads. `poll` takes in what is new; call
 * it a few times a second while somebody watches. Handles stay open as long as one of their fragments is in the window, so a
 * file may be renamed or deleted meanwhile.
 */
export interface FragmentTail {
  poll(): Promise<void>;
  /** The newest fragments, oldest first. */
  window(): readonly LiveFragment[];
  /** Discontinuities that have left the window, for EXT-X-DISCONTINUITY-SEQUENCE. */
  droppedDiscontinuities(): number;
  init(initNumber: number): Buffer | undefined;
  /** The bytes of a fragment of the window or shortly before it. @throws MediaError `rejected` when it is gone */
  read(number: number): Promise<Buffer>;
  close(): Promise<void>;
}

export function createFragmentTail(options: {
  source: TailSource;
  /** Fragments kept for the playlist; as many again can still be fetched. */
  windowSize: number;
  log: Log;
}): FragmentTail {
  const { source, windowSize, log } = options;
  let fragments: (LiveFragment & { file: TailFile })[] = [];
  let file: TailFile | undefined;
  let next = 0;
  let inits: { number: number; setupHash: string; bytes: Buffer }[] = [];
  let droppedDiscontinuities = 0;
  let isFollowing = false;
  let isClosed = false;
  let pending = Promise.resolve();

  const closeUnused = async () => {
    const used = new Set(fragments.map((each) => each.file));
    for (const each of openFiles) {
      if (used.has(each) || each === file) continue;
      openFiles.delete(each);
      await each.handle.close();
    }
  };
  const openFiles = new Set<TailFile>();

  const add = (owner: TailFile, init: Fmp4Init, fragment: Fragment) => {
    const before = fragments.at(-1);
    if (!before && !fragment.isKey) return; // a picture must be decodable from the first fragment on
    let known = inits.find((each) => each.setupHash === init.setupHash);
    if (!known) {
      known = { number: (inits.at(-1)?.number ?? -1) + 1, setupHash: init.setupHash, bytes: init.bytes };
      inits = [...inits.slice(-7), known];
    }
    const follows = before?.runId === owner.runId && before.initNumber === known.number && isFollowing;
    isFollowing = true;
    const offset = source.anchor()?.offsetMs;
    fragments.push({
      number: next,
      runId: owner.runId,
      init,
      initNumber: known.number,
      fragment,
      startAt: offset === undefined ? undefined : toWall(fragment.startMs, offset),
      isDiscontinuity: before !== undefined && !follows,
      file: owner,
    });
    next += 1;
    const leaving = fragments[fragments.length - windowSize - 1];
    if (leaving?.isDiscontinuity) droppedDiscontinuities += 1;
    fragments = fragments.slice(-2 * windowSize);
  };

  const openPath = async (
    path: string | undefined,
    runId: string,
    sequence: number,
  ): Promise<TailFile | undefined> => {
    if (path === undefined) return undefined;
    try {
      const opened = { handle: await open(path, 'r'), runId, sequence, init: undefined, offset: 0 };
      openFiles.add(opened);
      return opened;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // not there yet, or just renamed
      throw error;
    }
  };

  const readNew = async (from: TailFile) => {
    from.init ??= await readInit(from.handle);
    if (!from.init) return;
    from.offset ||= from.init.sizeBytes;
    const { size } = await from.handle.stat();
    for (;;) {
      const read = await readFragmentAt(from.handle, from.init, from.offset, size);
      if (read.kind !== 'fragment') return;
      from.offset = read.fragment.offset + read.fragment.sizeBytes;
      add(from, from.init, read.fragment);
    }
  };

  /** A viewer who comes just after a new file began gets the end of the file before it first. */
  const readHistory = async (current: OpenSegment) => {
    const previous = source.previous();
    if (!previous || previous.runId !== current.runId) return;
    const old = await openPath(previous.file, previous.runId, current.sequence - 1);
    const list = old && (await listFragments(old.handle));
    if (!old || !list) return;
    const keys = list.fragments.map((each, index) => (each.isKey ? index : -1)).filter((index) => index >= 0);
    const start = keys.at(-HISTORY) ?? keys[0] ?? 0;
    for (const fragment of list.fragments.slice(start)) add(old, list.init, fragment);
  };

  const poll = async () => {
    if (isClosed) return;
    const current = source.current();
    if (file) await readNew(file); // also after the file was finished: its last fragment was written before that
    if (!current) return;
    if (!file || current.runId !== file.runId || current.sequence !== file.sequence) {
      const opened = await openPath(current.path(), current.runId, current.sequence);
      if (!opened) return;
      if (!file) await readHistory(current);
      else if (current.runId === file.runId && current.sequence !== file.sequence + 1) isFollowing = false;
      file = opened;
      await readNew(file);
    }
    await closeUnused();
  };

  return {
    poll() {
      pending = pending.then(poll).catch((error: unknown) => {
        log.warn({ err: error }, 'the live tail could not read on: it starts again at the next file');
        isFollowing = false;
      });
      return pending;
    },
    window: () => fragments.slice(-windowSize),
    droppedDiscontinuities: () => droppedDiscontinuities,
    init: (number) => inits.find((each) => each.number === number)?.bytes,
    async read(number) {
      const found = fragments.find((each) => each.number === number);
      if (!found) throw new MediaError('rejected', 'that part of the live picture is gone', { number });
      return readAt(found.file.handle, found.fragment.offset, found.fragment.sizeBytes);
    },
    async close() {
      isClosed = true;
      await pending;
      fragments = [];
      file = undefined;
      await closeUnused();
    },
  };
}
