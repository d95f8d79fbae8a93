import { readdir, rm, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError, MediaError } from '#media/errors.ts';
import type { fetchReplay } from '#media/replay/fetch-replay.ts';
import { overlapOf, piecesToFetch, without } from './device-archive-rules.ts';
import type { DeviceArchiveStore } from './device-archive-store.ts';
import type { Held } from './device-archive.ts';
import { createDeviceLanes } from './device-lanes.ts';
import { pathInside } from './paths.ts';
import type { SpanMs } from './spans.ts';
import type { ArchivedDevice, ArchiveSource } from './types.ts';

/** A stretch to fetch, in the device's clock. */
export interface WantedPiece extends SpanMs {
  readonly token: string;
}

/** Fetches what devices hold into a cache of bounded size. */
export interface DeviceFetcher {
  /** What of `wanted` (our clock) the device holds and is not here yet. */
  missing(channelId: string, wanted: readonly SpanMs[], held: Held): Promise<WantedPiece[]>;
  /**
   * Fetches pieces, as many at once as the device allows; two that ask for the same share it. What is fetched stays for ten minutes at least.
   * @throws AppError device.…, storage.full; MediaError 'cancelled' when `signal` is aborted
   */
  fetch(
    channelId: string,
    pieces: readonly WantedPiece[],
    held: Held,
    options: { signal?: AbortSignal; onProgress?: (done: number) => void },
  ): Promise<void>;
  /** Notes that fetched footage was used, so that it stays. */
  touch(pieceIds: readonly string[]): Promise<void>;
  /** Deletes all that was fetched of these channels. */
  drop(channelIds: readonly string[]): Promise<void>;
  /** Once at start: makes index and files agree. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

/** Used within this time, a piece is not deleted: an export or a person is still at it. */
const leaseMs = 10 * 60_000;
const touchStepMs = 60_000;
/** Left free on the disk whatever the cache's limit says. */
const minFreeBytes = 1_000_000_000;
/** Until then a device may still be writing the end of what was fetched. */
const settleMs = 60_000;

export function createDeviceFetcher(options: {
  store: DeviceArchiveStore;
  archives: ArchiveSource;
  fetchReplay: typeof fetchReplay;
  /** Folder of the fetched footage; nothing else lies in it. */
  dir: string;
  limitBytes: number;
  /** Replay sessions at once per device: recorders allow few. */
  sessionsPerDevice: number;
  now: Now;
  log: Logger;
}): DeviceFetcher {
  const { store, archives, dir, limitBytes, now, log } = options;
  const lanes = createDeviceLanes(options.sessionsPerDevice);
  const closing = new AbortController();
  const touchedAt = new Map<string, number>();

  async function removePiece(id: string): Promise<void> {
    for (const file of await store.removePiece(id)) {
      try {
        await unlink(pathInside(dir, file));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    touchedAt.delete(id);
  }

  /** Makes room for new pieces. @throws AppError storage.full when what is in use fills the cache, or the disk is full */
  async function makeRoom(): Promise<void> {
    let totalBytes = await store.totalBytes();
    while (totalBytes > limitBytes) {
      const idle = await store.listIdle(now() - leaseMs, 50);
      if (idle.length === 0) break;
      for (const { id, sizeBytes } of idle) {
        if (totalBytes <= limitBytes) break;
        await removePiece(id);
        totalBytes -= sizeBytes;
      }
    }
    // What is in use may pass the limit, so that a long export is possible at all, but not by more than once again.
    const disk = await statfs(dirname(dir));
    if (totalBytes > 2 * limitBytes || disk.bavail * disk.bsize < minFreeBytes)
      throw new AppError('storage.full');
  }

  async function fetchPiece(
    device: ArchivedDevice,
    channelId: string,
    piece: WantedPiece,
    clockSkewMs: number,
    signal: AbortSignal,
  ) {
    await makeRoom();
    const url = await device.open(signal).archive.getReplayUri(piece.token);
    const startedAt = now();
    const result = await options.fetchReplay({
      source: device.replayFrom(url),
      fromDeviceAt: piece.fromAt,
      untilDeviceAt: piece.toAt,
      clockOffsetMs: -clockSkewMs,
      dir: join(dir, channelId),
      signal,
      log: log.child({ channelId }),
    });
    const segments = result.segments.map(({ runId, file, startAt, durationMs, videoCodec, hasAudio }) => ({
      runId,
      file: relative(dir, file),
      startAt,
      endAt: startAt + durationMs,
      videoCodec,
      hasAudio,
    }));
    const sizeBytes = result.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    const isWhole = result.isWhole || piece.toAt < startedAt + clockSkewMs - settleMs;
    // A shorter piece fetched while its end was still growing is replaced.
    const before = await store.listPieces(channelId, piece);
    const replaced = before.filter(({ token, isWhole: was }) => token === piece.token && !was);
    await store.insertPiece(
      channelId,
      {
        token: piece.token,
        fromDeviceAt: piece.fromAt,
        untilDeviceAt: piece.toAt,
        isWhole,
        clockSkewMs,
        sizeBytes,
        at: now(),
      },
      segments,
    );
    for (const { id } of replaced) await removePiece(id);
    log.info(
      {
        channelId,
        fromDeviceAt: piece.fromAt,
        pictures: result.pictureCount,
        sizeBytes,
        elapsedMs: now() - startedAt,
      },
      'fetched footage from a device',
    );
  }

  return {
    async missing(channelId, wanted, held) {
      const { clockSkewMs } = held;
      if (clockSkewMs === null || wanted.length === 0) return [];
      const deviceWanted = wanted.map(({ fromAt, toAt }) => ({
        fromAt: fromAt + clockSkewMs,
        toAt: toAt + clockSkewMs,
      }));
      const around = {
        fromAt: Math.min(...deviceWanted.map(({ fromAt }) => fromAt)) - 180_000,
        toAt: Math.max(...deviceWanted.map(({ toAt }) => toAt)) + 180_000,
      };
      const pieces = await store.listPieces(channelId, around);
      let open: readonly SpanMs[] = deviceWanted;
      return held.recordings.flatMap(({ token, spans }) => {
        const own = overlapOf(open, spans);
        if (own.length === 0) return [];
        open = without(open, spans);
        const known = pieces
          .filter((piece) => piece.token === token)
          .map(({ fromDeviceAt, untilDeviceAt, isWhole }) => ({
            fromAt: fromDeviceAt,
            toAt: untilDeviceAt,
            isWhole,
          }));
        return piecesToFetch(own, spans, known).map((span) => ({ token, ...span }));
      });
    },

    async fetch(channelId, pieces, held, { signal, onProgress }) {
      const device = archives.find(channelId);
      const { clockSkewMs } = held;
      if (pieces.length === 0) return;
      if (!device || clockSkewMs === null) throw new AppError('device.unreachable');
      let done = 0;
      onProgress?.(0);
      // The first failure ends the others: a device that is gone would cost its time limit for each piece.
      const failing = new AbortController();
      const stop = AbortSignal.any([failing.signal, ...(signal ? [signal] : [])]);
      let failure: unknown;
      const work = pieces.map(async (piece) => {
        const key = [channelId, piece.token, piece.fromAt, piece.toAt].join(' ');
        try {
          await lanes.run(device.deviceId, key, stop, (alone) =>
            fetchPiece(device, channelId, piece, clockSkewMs, AbortSignal.any([alone, closing.signal])),
          );
        } catch (error) {
          if (!failing.signal.aborted) failure = error;
          failing.abort();
          return;
        }
        done += 1;
        onProgress?.(done / pieces.length);
      });
      await Promise.all(work);
      if (failing.signal.aborted) throw failure;
    },

    async touch(pieceIds) {
      const at = now();
      const due = [...new Set(pieceIds)].filter((id) => at - (touchedAt.get(id) ?? 0) >= touchStepMs);
      for (const id of due) touchedAt.set(id, at);
      if (due.length > 0) await store.touch(due, at);
    },

    async drop(channelIds) {
      for (const id of await store.listPieceIds(channelIds)) await removePiece(id);
    },

    async tidy() {
      const indexed = await store.listFiles();
      for (const name of await namesIn(dir)) {
        const file = relative(dir, name);
        if (!indexed.delete(file)) await rm(name);
      }
      const broken = new Set(indexed.values());
      for (const id of broken) await removePiece(id);
      if (broken.size > 0)
        log.info({ pieces: broken.size }, 'fetched footage is gone and will be fetched again');
    },

    async close() {
      closing.abort(new MediaError('cancelled', 'the server stops'));
      await lanes.settled();
    },
  };
}

/** All files below `dir`, absolute. */
async function namesIn(dir: string): Promise<string[]> {
  try {
    const found: string[] = [];
    for (const name of await readdir(dir, { recursive: true })) {
      const path = join(dir, name);
      if ((await stat(path)).isFile()) found.push(path);
    }
    return found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether the failure of a fetch is the device's, so that own footage can stand without it. */
export function isDeviceFailure(error: unknown): boolean {
  if (error instanceof AppError) return error.code !== 'internal';
  return isMediaError(error) && error.code !== 'cancelled';
}
