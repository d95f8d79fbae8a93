import { createHash, randomBytes } from 'node:crypto';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import type { Now } from '#api/clock.ts';
import { AppError } from '#api/errors.ts';
import type { Principal } from '#api/http/guard.ts';
import { isMediaError } from '#media/errors.ts';
import type { FootageSegment } from '#media/hls/footage.ts';
import type { ChunkTranscoder, TranscodedChunk } from '#media/hls/transcode.ts';
import { planVod, vodPlaylist, type VodEntry } from '#media/hls/vod-playlist.ts';
import { wallMs } from '#media/time.ts';
import type { ChannelSource } from './types.ts';
import type { OpenFootage } from './open-footage.ts';
import { pathInside } from './paths.ts';
import type { SegmentStore } from './segment-store.ts';
import { checkRange, spanDetail, type By } from './service.ts';
import { clip, isOverlapping, mergeSpans, type SpanMs } from './spans.ts';
import { continuousToleranceMs } from './timeline.ts';

const longestMs = 24 * 3_600_000;
/** A playback that nobody asks anything of for this long is over. */
const idleMs = 30 * 60_000;
const mostPerSession = 32;
const mostInAll = 500;
/** A day of one-minute files, with room for a few restarts; what one playlist may hold. */
const mostFiles = 1_500;

/** One file of a playback, as its playlist names it. */
export interface PlaybackFile extends SpanMs {
  /** Unguessable only together with the playback's token; unique in it. */
  readonly key: string;
  readonly runId: string;
  readonly videoCodec: string;
  readonly hasAudio: boolean;
  /** Relative to the recordings folder; null for the file that was being written when the playlist was made. */
  readonly file: string | null;
}

export interface PlaybackSession extends SpanMs {
  readonly token: string;
  readonly channelId: string;
  readonly isTranscoded: boolean;
  readonly files: readonly PlaybackFile[];
}

/** Playback of what was recorded. A session belongs to one log-in and dies with it, after half an hour of silence, or at a restart. */
export function createPlaybackService(options: {
  segments: SegmentStore;
  open: OpenFootage;
  channels: ChannelSource;
  transcoder: ChunkTranscoder;
  recordingsDir: string;
  audit: AuditTrail;
  now: Now;
}) {
  const { segments, open, channels, transcoder, recordingsDir, audit, now } = options;
  const sessions = new Map<string, PlaybackSession & { sessionHash: string; usedAt: number }>();

  function makeRoom(sessionHash: string): void {
    for (const [key, session] of sessions) if (now() - session.usedAt > idleMs) sessions.delete(key);
    const own = [...sessions].filter(([, session]) => session.sessionHash === sessionHash);
    const surplus = own.slice(0, Math.max(0, own.length - mostPerSession + 1));
    if (surplus.length === 0 && sessions.size >= mostInAll) surplus.push(...[...sessions].slice(0, 1));
    for (const [key] of surplus) sessions.delete(key);
  }

  async function listFiles(channelId: string, range: SpanMs): Promise<PlaybackFile[]> {
    const [rows, part] = await Promise.all([
      segments.listOverlapping(channelId, range),
      open.partOf(channelId),
    ]);
    const files: PlaybackFile[] = rows.map((row) => ({
      key: keyOf(row.file),
      fromAt: row.startAt,
      toAt: row.endAt,
      runId: row.runId,
      videoCodec: row.videoCodec,
      hasAudio: row.hasAudio,
      file: row.file,
    }));
    // Closed between the two looks: then it is in the index already.
    const isIndexed = files.some((file) => part !== undefined && isOverlapping(file, part));
    if (part && isOverlapping(part, range) && !isIndexed)
      files.push({ ...part, key: keyOf(`${part.runId}-${part.sequence}`), file: null });
    return files;
  }

  return {
    /**
     * Opens a playback for the person's log-in and puts it on the trail.
     * @throws AppError footage.range-invalid (over 24 h), footage.none, not-found
     */
    async start(
      ask: SpanMs & { channelId: string; canDecodeH265: boolean },
      { actor, request }: By,
    ): Promise<PlaybackSession & { spans: readonly SpanMs[] }> {
      checkRange(ask, longestMs);
      const { channelId, fromAt, toAt } = ask;
      await channels.get(channelId);
      const files = await listFiles(channelId, ask);
      if (files.length === 0) throw new AppError('footage.none');
      if (files.length > mostFiles)
        throw new AppError('footage.range-invalid', { problem: 'files', mostFiles });
      const token = randomBytes(24).toString('base64url');
      const isTranscoded = !ask.canDecodeH265 && files.some((file) => file.videoCodec === 'h265');
      const session = { token, channelId, fromAt, toAt, isTranscoded, files };
      await audit.record({
        action: 'footage.viewed',
        actor,
        subjectType: 'channel',
        subjectId: channelId,
        detail: spanDetail(ask),
        request,
      });
      makeRoom(actor.sessionHash);
      sessions.set(token, { ...session, sessionHash: actor.sessionHash, usedAt: now() });
      const spans = mergeSpans(files, continuousToleranceMs).flatMap((span) => clip(span, ask) ?? []);
      return { ...session, spans };
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

    /** The playlist as of now. Files that were deleted since are left out, as a hole. @throws AppError footage.none */
    async playlist(session: PlaybackSession): Promise<string> {
      const entries = await plan(session, session.files);
      if (entries.length === 0) throw new AppError('footage.none');
      return vodPlaylist(
        entries,
        session.isTranscoded
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
      const file = session.files.find((entry) => entry.key === key);
      const entries = file && session.isTranscoded ? await plan(session, [file]) : [];
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
    const file = session.files.find((entry) => entry.key === key);
    if (!file) throw new AppError('not-found');
    if (file.file !== null) return pathInside(recordingsDir, file.file);
    const part = await open.partOf(session.channelId);
    if (part && keyOf(`${part.runId}-${part.sequence}`) === key) return part.path;
    const row = await segments.findInRun(file.runId, file.fromAt);
    if (!row) throw new AppError('not-found');
    return pathInside(recordingsDir, row.file);
  }

  async function plan(
    session: PlaybackSession,
    files: readonly PlaybackFile[],
  ): Promise<VodEntry<FootageSegment & { key: string }>[]> {
    const range = { fromAt: wallMs(session.fromAt), toAt: wallMs(session.toAt) };
    const gone = new Set<string>();
    for (;;) {
      const known: (FootageSegment & { key: string })[] = [];
      for (const { key, file, runId, fromAt, toAt } of files) {
        if (gone.has(key)) continue;
        const path = file === null ? await pathOf(session, key) : pathInside(recordingsDir, file);
        const times = { startAt: wallMs(fromAt), durationMs: toAt - fromAt };
        known.push({ key, file: path, runId, ...times, isOpen: file === null });
      }
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

/** File names tell times and runs; a key in a URL, which lands in proxies' logs, tells nothing. */
function keyOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, 22);
}
