import { createHash } from 'node:crypto';
import type { AuditTrail } from '#api/auth/audit-trail.ts';
import { createOnceWithin } from '#api/auth/once-within.ts';
import type { Now } from '#api/clock.ts';
import type { StreamKind } from '#api/devices/schema.ts';
import { AppError } from '#api/errors.ts';
import type { ChannelSource } from '#api/footage/types.ts';
import type { RecordingService } from '#api/footage/recording-service.ts';
import type { By } from '#api/footage/service.ts';
import { isMediaError } from '#media/errors.ts';
import { parseLiveName } from '#media/hls/live-playlist.ts';
import type { LiveStream } from '#media/hls/live-stream.ts';
import type { LiveHub, LiveTarget } from '#media/hls/live.ts';
import type { Recorder } from '#media/recorder/recorder.ts';

/** One person's view of one stream. */
export interface OpenedLive {
  /** Path of the playlist below `/api/live/<channel>/<stream>/`. */
  readonly path: string;
  readonly stream: StreamKind;
  readonly sourceCodec: string;
  readonly isTranscoded: boolean;
}
export interface LiveState {
  readonly state: 'starting' | 'playing' | 'failed';
  readonly reason: string | null;
  readonly viewers: number;
}

const auditWindowMs = 600_000;
/** No new picture in the playlist for this long: the camera is gone, whatever else is said. */
const stallMs = 12_000;
const viewerMs = 15_000;

/** What is known of a stream that somebody asked for. */
interface Watch {
  playlist: string;
  changedAt: number;
  failure: string | null;
  readonly viewers: Map<string, number>;
}

/**
 * Live pictures. The main stream comes from the recorder's own files, without a second session on the camera; everything else from a
 * pull that all viewers share and that ends when nobody watches.
 */
export function createLiveService(options: {
  makeHub: (getTarget: (streamId: string) => Promise<LiveTarget>) => LiveHub;
  channels: ChannelSource;
  recording: Pick<RecordingService, 'recorderOf' | 'recordingOf'>;
  audit: AuditTrail;
  now: Now;
}) {
  const { channels, recording, audit, now } = options;
  const isFirst = createOnceWithin(auditWindowMs, now);
  const watches = new Map<string, Watch>();
  const serials = new WeakMap<Recorder, number>();
  let lastSerial = 0;

  /** The target of a channel's stream as it is now, and an id that changes with it: a viewer of the old one opens it anew. */
  async function resolve(channelId: string, kind: StreamKind) {
    const stream = await channels.getStream(channelId, kind);
    const recorder = stream.kind === 'main' ? recording.recorderOf(channelId) : undefined;
    if (!recorder) {
      const generation = createHash('sha256')
        .update(JSON.stringify(stream.source))
        .digest('hex')
        .slice(0, 12);
      return { ...stream, target: { source: stream.source }, generation: `p${generation}` };
    }
    const serial = serials.get(recorder) ?? (lastSerial += 1);
    serials.set(recorder, serial);
    return { ...stream, target: { recorder }, generation: `r${serial}` };
  }

  const hub = options.makeHub(async (streamId) => {
    const [channelId = '', kind = ''] = streamId.split(' ');
    return (await resolve(channelId, kind as StreamKind)).target;
  });

  function watchOf(channelId: string, kind: StreamKind): Watch {
    const key = `${channelId} ${kind}`;
    const watch = watches.get(key) ?? { playlist: '', changedAt: now(), failure: null, viewers: new Map() };
    watches.set(key, watch);
    return watch;
  }

  /** Turns a failure of the picture into what the person is told, and remembers it for the status. */
  function noPicture(watch: Watch, error: unknown): unknown {
    if (!isMediaError(error)) return error;
    watch.failure = error.code;
    return new AppError('channel.no-picture', { reason: error.code }, { cause: error });
  }

  async function openVariant(streamId: string, variant: 'original' | 'h264'): Promise<LiveStream> {
    try {
      return await hub.open(streamId, variant);
    } catch (error) {
      if (variant === 'h264' && isMediaError(error, 'rejected'))
        throw new AppError(
          'unavailable',
          { problem: 'too many streams are being transcoded' },
          { cause: error },
        );
      throw error;
    }
  }

  /** @throws AppError not-found when the path is of another time: the stream's source has changed since */
  async function find(channelId: string, kind: StreamKind, variantPath: string) {
    const [, variant, generation] = /^(original|h264)-([pr][0-9a-f]{1,12})$/.exec(variantPath) ?? [];
    const current = await resolve(channelId, kind);
    if (!variant || generation !== current.generation) throw new AppError('not-found');
    const streamId = `${channelId} ${current.kind} ${current.generation}`;
    return openVariant(streamId, variant as 'original' | 'h264');
  }

  return {
    /**
     * Opens a picture: waits for its first fragment (at once while it is recorded or watched, else some seconds). Puts the first
     * opening by a log-in within ten minutes on the trail.
     * @throws AppError not-found; channel.no-picture, with the reason; unavailable when too many streams are transcoded
     */
    async open(
      ask: { channelId: string; stream: StreamKind; canDecodeH265: boolean },
      { actor, request }: By,
    ): Promise<OpenedLive> {
      const { channelId } = ask;
      await channels.get(channelId);
      if (isFirst(`${actor.sessionHash} ${channelId}`))
        await audit.record({
          action: 'live.opened',
          actor,
          subjectType: 'channel',
          subjectId: channelId,
          detail: { stream: ask.stream },
          request,
        });
      const watch = watchOf(channelId, ask.stream);
      try {
        const { kind, generation, codec } = await resolve(channelId, ask.stream);
        const streamId = `${channelId} ${kind} ${generation}`;
        const stream = await openVariant(streamId, 'original');
        await stream.playlist();
        const isH265 =
          /^h(vc|ev)1/.test(stream.codecs() ?? '') || (stream.codecs() === undefined && codec === 'H265');
        const isTranscoded = isH265 && !ask.canDecodeH265;
        if (isTranscoded) await openVariant(streamId, 'h264');
        const path = `${isTranscoded ? 'h264' : 'original'}-${generation}/index.m3u8`;
        return { path, stream: kind, sourceCodec: isH265 ? 'H265' : 'H264', isTranscoded };
      } catch (error) {
        throw noPicture(watch, error);
      }
    },

    /** The playlist of an opened picture. @throws AppError not-found, channel.no-picture once the picture stands still */
    async playlist(
      channelId: string,
      kind: StreamKind,
      variantPath: string,
      viewer: string,
    ): Promise<string> {
      const watch = watchOf(channelId, kind);
      watch.viewers.set(viewer, now());
      try {
        const stream = await find(channelId, kind, variantPath);
        const text = await stream.playlist();
        if (text !== watch.playlist) {
          watch.playlist = text;
          watch.changedAt = now();
          watch.failure = null;
        }
      } catch (error) {
        throw noPicture(watch, error);
      }
      if (now() - watch.changedAt > stallMs) {
        watch.failure ??= recording.recordingOf(channelId).cause ?? 'no-media';
        throw new AppError('channel.no-picture', { reason: watch.failure });
      }
      return watch.playlist;
    },

    /** An init segment or fragment that a playlist names. @throws AppError not-found when it is gone */
    async piece(channelId: string, kind: StreamKind, variantPath: string, name: string): Promise<Buffer> {
      const asked = parseLiveName(name);
      if (!asked) throw new AppError('not-found');
      const stream = await find(channelId, kind, variantPath);
      try {
        const bytes =
          'initNumber' in asked ? stream.init(asked.initNumber) : await stream.fragment(asked.number);
        if (bytes) return bytes;
      } catch (error) {
        if (!isMediaError(error, 'rejected')) throw error;
      }
      throw new AppError('not-found');
    },

    /** How a picture is for those who watch it; `starting` while nobody has asked for it lately. */
    status(channelId: string, kind: StreamKind): LiveState {
      const watch = watches.get(`${channelId} ${kind}`);
      if (!watch) return { state: 'starting', reason: null, viewers: 0 };
      for (const [viewer, seenAt] of watch.viewers)
        if (now() - seenAt > viewerMs) watch.viewers.delete(viewer);
      const viewers = watch.viewers.size;
      if (watch.failure !== null) return { state: 'failed', reason: watch.failure, viewers };
      return {
        state: watch.playlist === '' || viewers === 0 ? 'starting' : 'playing',
        reason: null,
        viewers,
      };
    },

    close: () => hub.close(),
  };
}
export type LiveService = ReturnType<typeof createLiveService>;
