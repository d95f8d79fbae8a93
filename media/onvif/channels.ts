import { isSameNote, noteOf, type DeviceNote } from './notes.ts';
import { isMediaError, MediaError } from '#media/errors.ts';
import { isFinal, type DeviceContext } from './context.ts';
import { mainOrder, profilesOfMedia1, profilesOfMedia2, subOrder } from './profiles.ts';
import type { Channel, Profile, Stream } from './types.ts';
import { escapeXml, text } from './xml.ts';

/** Channels in the device's order, and what was odd about it in sentences an engineer can act on. */
export interface ChannelList {
  channels: Channel[];
  warnings: DeviceNote[];
}

/** How many requests about single profiles may hang before the device as a whole counts as hanging. */
const MAX_HUNG = 2;

interface Reading {
  context: DeviceContext;
  media: 'media1' | 'media2';
  warnings: DeviceNote[];
  hung: number;
}

/** Rethrows what ends the whole listing; a single request that hangs does not, several do. */
function rethrowFinal(reading: Reading, error: unknown): void {
  if (isMediaError(error, 'timeout') && reading.hung < MAX_HUNG) reading.hung += 1;
  else if (isFinal(error)) throw error;
}

/** A 128-channel NVR with three profiles each is the largest thought of. */
const MAX_PROFILES = 512;

/**
 * Reads the profiles (Media2 if offered, else Media1), groups them by video source, and asks the stream addresses of the chosen ones
 * only: 1 + 3 requests for each channel. They go one after another, because small devices serve one client at a time.
 * @throws MediaError when no media service can be read at all
 */
export async function readChannels(context: DeviceContext): Promise<ChannelList> {
  const { media, profiles, warnings } = await readProfiles(context);
  const bySource = new Map<string, Profile[]>();
  for (const profile of profiles.slice(0, MAX_PROFILES)) {
    if (profile.codec === undefined) {
      warnings.push(noteOf('profile-without-encoder', { profile: profile.token }));
      continue;
    }
    // A profile without a source still shows a picture; it is a channel under its own token.
    const source = profile.sourceToken ?? `profile:${profile.token}`;
    bySource.set(source, [...(bySource.get(source) ?? []), profile]);
  }
  if (profiles.length > MAX_PROFILES)
    warnings.push(
      noteOf('too-many-profiles', { count: String(profiles.length), used: String(MAX_PROFILES) }),
    );
  const channels: Channel[] = [];
  const reading: Reading = { context, media, warnings, hung: 0 };
  for (const [sourceToken, own] of bySource) {
    const channel = await readChannel(reading, sourceToken, own);
    if (channel) channels.push(channel);
  }
  return {
    channels,
    warnings: warnings.filter((note, at) => warnings.findIndex((other) => isSameNote(note, other)) === at),
  };
}

async function readProfiles(context: DeviceContext) {
  const { media1, media2 } = await context.services();
  if (media2 !== undefined) {
    try {
      const answer = await context.ask('media2', 'GetProfiles', '<tr2:Type>All</tr2:Type>');
      const read = profilesOfMedia2(answer);
      if (read.profiles.length > 0 || media1 === undefined) return { media: 'media2' as const, ...read };
    } catch (error) {
      if (media1 === undefined || isFinal(error)) throw error;
      context.log.debug({ error: (error as Error).message }, 'Media2 failed, asking Media1');
    }
  }
  if (media1 === undefined) throw new MediaError('not-supported', 'the device offers no media service');
  return {
    media: 'media1' as const,
    ...profilesOfMedia1(await context.askEither('media1', { operation: 'GetProfiles' }, '')),
  };
}

async function readChannel(
  reading: Reading,
  sourceToken: string,
  profiles: Profile[],
): Promise<Channel | undefined> {
  const main = await firstStream(reading, 'main', mainOrder(profiles));
  if (!main) {
    reading.warnings.push(noteOf('source-without-address', { source: sourceToken }));
    return undefined;
  }
  const sub = await firstStream(reading, 'sub', subOrder(profiles, main.profile));
  const name = main.profile.sourceName ?? main.profile.name;
  return {
    sourceToken,
    name,
    streams: [main.stream, ...(sub ? [sub.stream] : [])],
    snapshotUri: await readSnapshotUri(reading, main.profile.token),
    hasPtz: profiles.some((profile) => profile.hasPtz),
  };
}

/** The first of `candidates` whose address the device gives; one that fails is a warning, not the end of the channel. */
async function firstStream(
  reading: Reading,
  kind: Stream['kind'],
  candidates: readonly Profile[],
): Promise<{ stream: Stream; profile: Profile } | undefined> {
  for (const profile of candidates.slice(0, 4)) {
    try {
      const rtspUri = await readStreamUri(reading, profile.token);
      const { codec = 'other', width, height, frameRateFps, bitrateBps, gopFrames, hasAudio } = profile;
      const facts = { codec, width, height, frameRateFps, bitrateBps, gopFrames, hasAudio };
      return {
        profile,
        stream: { kind, profileToken: profile.token, ...facts, rtspUri, media: reading.media },
      };
    } catch (error) {
      rethrowFinal(reading, error);
      reading.warnings.push(
        noteOf('profile-left-out', { profile: profile.token, reason: (error as Error).message }),
      );
    }
  }
  return undefined;
}

async function readStreamUri({ context, media, warnings }: Reading, profileToken: string): Promise<string> {
  const token = escapeXml(profileToken);
  const answer =
    media === 'media2'
      ? await context.ask(
          'media2',
          'GetStreamUri',
          `<tr2:Protocol>RTSP</tr2:Protocol><tr2:ProfileToken>${token}</tr2:ProfileToken>`,
        )
      : await context.askEither(
          'media1',
          { operation: 'GetStreamUri', profileToken },
          '<trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup>' +
            `<trt:ProfileToken>${token}</trt:ProfileToken>`,
          [profileToken],
        );
  const announced = text(answer, 'Uri') ?? text(answer, 'MediaUri', 'Uri');
  const corrected = announced === undefined ? undefined : context.correct(announced, 'rtsp');
  if (!corrected) throw new MediaError('protocol', 'the device gives no usable RTSP address for it');
  if (corrected.replaced) warnings.push(noteOf('stream-host-replaced', corrected.replaced));
  return corrected.uri;
}

/** A snapshot address is a convenience: a device without one, or that refuses, is not worth a warning. */
async function readSnapshotUri(reading: Reading, profileToken: string): Promise<string | undefined> {
  const { context, media, warnings } = reading;
  const prefix = media === 'media2' ? 'tr2' : 'trt';
  try {
    const answer = await context.ask(
      media,
      'GetSnapshotUri',
      `<${prefix}:ProfileToken>${escapeXml(profileToken)}</${prefix}:ProfileToken>`,
    );
    const announced = text(answer, 'Uri') ?? text(answer, 'MediaUri', 'Uri');
    const corrected = announced === undefined ? undefined : context.correct(announced, 'http');
    if (corrected?.replaced) warnings.push(noteOf('snapshot-host-replaced', corrected.replaced));
    return corrected?.uri;
  } catch (error) {
    rethrowFinal(reading, error);
    context.log.debug({ profileToken, error: (error as Error).message }, 'no snapshot address');
    return undefined;
  }
}
