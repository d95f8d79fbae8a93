import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { Principal } from '#api/http/guard.ts';
import type { Logger } from '#api/log.ts';
import { isMediaError } from '#media/errors.ts';
import type { ChunkTranscoder, TranscodedChunk } from '#media/hls/transcode.ts';
import { planVod, vodPlaylist, type VodEntry } from '#media/hls/vod-playlist.ts';
import { wallMs } from '#media/time.ts';
import { deviceError, type DeviceFootage } from './device-footage.ts';
import type { ChannelSource } from './types.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import {
  createPlaybackPreparation,
  keyOf,
  type PlaybackFile,
  type PreparedFootage,
} from './playback-preparation.ts';
import type { SegmentStore } from './segment-store.ts';
import { checkRange, spanDetail, type By } from './service.ts';
import type { SpanMs } from './spans.ts';

const longestMs = 24 * 3_600_000;
/** A playback that nobody asks anything of for this long is over. */
const idleMs = 30 * 60_000;
const mostPerSession = 32;
const mostInAll = 500;
/** A day of one-minute files, with room for a few restarts; what one playlist may hold. */
const mostFiles = 1_500;
/** The answer waits so long for footage to be fetched, the playlist longer; the fetching itself goes on. */
const answerMs = 1_000;
const playlistMs = 90_000;

export interface PlaybackSession {
  readonly token: string;
  readonly channelId: string;
  readonly canDecodeH265: boolean;
  readonly footage: PreparedFootage;
}

/** Whether its playlist names H.264 pieces instead of the files. Known once all files are there. */
export const isTranscoded = ({ canDecodeH265, footage }: PlaybackSession): boolean =>
  !canDecodeH265 && footage.files.some((file) => file.videoCodec === 'h265');

/**
 * Playback of what was recorded, here or by the device. A session belongs to one log-in and dies with it, after half an hour of silence,
 * or at a restart.
 */
export function createPlaybackService(options: {
  segments: SegmentStore;
  open: OpenFootage;
  devices: DeviceFootage;
  channels: ChannelSource;
  transcoder: ChunkTranscoder;
  recordingsDir: string;
  /** Of footage fetched from devices. */
  deviceDir: string;
  audit: AuditTrail;
  now: Now;
  log: Logger;
}) {
  const { segments, open, devices, channels, transcoder, audit, now } = options;
  const prepare = createPlaybackPreparation(options);
  const sessions = new Map<
    string,
    PlaybackSession & { sessionHash: string; usedAt: number; stop: AbortController }
  >();

  function drop(key: string): void {
    sessions.get(key)?.stop.abort();
    sessions.delete(key);
  }
  function makeRoom(sessionHash: string, channelId: string): void {
    for (const [key, session] of sessions) if (now() - session.usedAt > idleMs) drop(key);
    const own = [...sessions].filter(([, session]) => session.sessionHash === sessionHash);
    // A person who jumps to another place leaves the one before behind: it is not fetched any more, since the new one would wait for it.
    for (const [key, session] of own)
      if (session.channelId === channelId && session.footage.progress !== null) drop(key);
    const surplus = own.slice(0, Math.max(0, own.length - mostPerSession + 1));
    if (surplus.length === 0 && sessions.size >= mostInAll) surplus.push(...[...sessions].slice(0, 1));
    for (const [key] of surplus) drop(key);
  }

  return {
    /**
     * Opens a playback for the person's log-in and puts it on the trail. It may end before the range does, where more would have to be
     * fetched from a device; what it has to fetch may be still under way.
     * @param ask.focusAt what the person wants to see; the start of the range by default
     * @throws AppError footage.range-invalid (over 24 h), footage.none, not-found, device.…
     */
    async start(
      ask: SpanMs & { channelId: string; canDecodeH265: boolean; focusAt?: number },
      { actor, request }: By,
    ): Promise<PlaybackSession> {
      checkRange(ask, longestMs);
      const { channelId, fromAt, toAt, canDecodeH265 } = ask;
      await channels.get(channelId);
      makeRoom(actor.sessionHash, channelId);
      const stop = new AbortController();
      const focusAt = Math.min(Math.max(ask.focusAt ?? fromAt, fromAt), toAt);
      const footage = await prepare(channelId, { fromAt, toAt }, focusAt, stop.signal);
      if (footage.files.length > mostFiles)
        throw new AppError('footage.range-invalid', { problem: 'files', mostFiles });
      const token = randomBytes(24).toString('base64url');
      await audit.record({
        action: 'footage.viewed',
        actor,
        subjectType: 'channel',
        subjectId: channelId,
        detail: { ...spanDetail(footage), sources: [...new Set(footage.spans.map(({ source }) => source))] },
        request,
      });
      const session = { token, channelId, canDecodeH265, footage, stop };
      sessions.set(token, { ...session, sessionHash: actor.sessionHash, usedAt: now() });
      await Promise.race([footage.ready, sleep(answerMs, undefined, { ref: false })]);
      return session;
    },

    /** @throws AppError not-found for an unknown, expired, or somebody else's token */
    get(token: string, person: Principal): PlaybackSession {
      const session = sessions.get(token);
      const isAlive =
        session && session.sessionHash === person.sessionHash && now() - session.usedAt <= idleMs;
      if (!isAlive) throw new AppError('not-found');
      session.usedAt = now();
      return session;
    },

    /**
     * The playlist as of now; waits for what is being fetched. Files that were deleted since are left out, as a hole.
     * @throws AppError footage.none, device.… (why nothing could be fetched), unavailable when fetching takes longer than 90 s
     */
    async playlist(session: PlaybackSession): Promise<string> {
      const { footage } = session;
      await Promise.race([footage.ready, sleep(playlistMs, undefined, { ref: false })]);
      if (footage.progress !== null) throw new AppError('unavailable', { progress: footage.progress });
      const entries = await plan(session, footage.files);
      if (entries.length === 0) throw deviceError(footage.problem);
      return vodPlaylist(
        entries,
        isTranscoded(session)
          ? {
              kind: 'chunks',
              media: ({ segment, offset }) => `${segment.key}/${offset}/media.m4s`,
              init: ({ segment, offset }) => `${segment.key}/${offset}/init.mp4`,
            }
          : {
              kind: 'ranges',
              media: ({ segment }) => `${segment.key}.mp4`,
              init: ({ segment }) => `${segment.key}.mp4`,
            },
      );
    },

    /**
     * One piece of the playlist as H.264, for browsers that cannot decode H.265.
     * @throws AppError not-found for anything the playlist does not name, unavailable when too many wait
     */
    async chunk(
      session: PlaybackSession,
      key: string,
      offset: number,
      signal: AbortSignal,
    ): Promise<TranscodedChunk> {
      const files = session.footage.files.filter((entry) => entry.key === key);
      const entries = isTranscoded(session) ? await plan(session, files) : [];
      const entry = entries.find((each) => each.offset === offset);
      if (!entry) throw new AppError('not-found');
      try {
        return await transcoder.transcode({ ...entry, file: entry.segment.file }, signal);
      } catch (error) {
        if (!isMediaError(error, 'rejected')) throw error;
        throw new AppError(
          'unavailable',
          { problem: 'too many pieces are being transcoded' },
          { cause: error },
        );
      }
    },

    pathOf,
  };

  /**
   * Where a file of a playback lies now: the one that was open may have been closed and renamed since.
   * @throws AppError not-found when it is not part of the playback, or was deleted since
   */
  async function pathOf(session: PlaybackSession, key: string): Promise<string> {
    const file = session.footage.files.find((entry) => entry.key === key);
    if (!file) throw new AppError('not-found');
    if (file.pieceId !== null) await devices.touch([file.pieceId]);
    if (file.source === 'device') return pathInside(options.deviceDir, file.name);
    if (!file.isOpen) return pathInside(options.recordingsDir, file.name);
    const part = await open.partOf(session.channelId);
    if (part && keyOf(`own ${part.runId}-${part.sequence}`) === key) return part.path;
    const row = await segments.findInRun(file.runId, file.startAt);
    if (!row) throw new AppError('not-found');
    return pathInside(options.recordingsDir, row.file);
  }

  async function plan(
    session: PlaybackSession,
    files: readonly PlaybackFile[],
  ): Promise<VodEntry<PlaybackFile>[]> {
    const { fromAt, toAt } = session.footage;
    const range = { fromAt: wallMs(fromAt), toAt: wallMs(toAt) };
    const gone = new Set<string>();
    for (;;) {
      const known: PlaybackFile[] = [];
      for (const file of files)
        if (!gone.has(file.key)) known.push({ ...file, file: await pathOf(session, file.key) });
      try {
        return await planVod(known, range);
      } catch (error) {
        const lost = known.find((each) => isMediaError(error) && error.details.file === each.file);
        if (!lost) throw error;
        gone.add(lost.key);
      }
    }
  }
}
export type PlaybackService = ReturnType<typeof createPlaybackService>;
