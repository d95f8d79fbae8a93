import { MediaError } from '../errors.ts';
import { readReplayPacket, unitKinds, type ReplayCodec } from './rtp.ts';

/** One picture (access unit) of a replay, in decoding order. */
export interface ReplayPicture {
  /** The device's wall clock for it, epoch ms with a fraction. */
  deviceAt: number;
  isKey: boolean;
  /** The sequence parameters come with it. */
  hasParameters: boolean;
  /** The device says that footage is missing before it. */
  isDiscontinuity: boolean;
  /** Its RTP packets as they came. */
  packets: Buffer[];
}

const PICTURE_LIMIT_BYTES = 16_000_000;
const PACKET_LIMIT = 20_000;
const CLOCK_PER_MS = 90;

/**
 * Puts the packets of one RTP stream together into pictures. `push` and `end` give the pictures that are complete with it (none, one, or
 * two when a picture without marker ends because the next begins).
 * The time of a picture is that of the replay extension; where a device leaves it out, the RTP clock carries on from the last one.
 * @throws MediaError `protocol` (no replay time at all, or packets that are no RTP), `too-large`
 */
export function createPictureReader(codec: ReplayCodec) {
  let open: (ReplayPicture & { timestamp: number; sizeBytes: number }) | undefined;
  let last: { timestamp: number; deviceAt: number } | undefined;

  function take(): ReplayPicture[] {
    if (!open) return [];
    const { timestamp: _timestamp, sizeBytes: _sizeBytes, ...picture } = open;
    open = undefined;
    return [picture];
  }

  function timeOf(timestamp: number, told: number | undefined): number {
    const ticks = last && (timestamp - last.timestamp) | 0; // signed, across the 32-bit wrap
    const deviceAt = told ?? (last && ticks !== undefined ? last.deviceAt + ticks / CLOCK_PER_MS : undefined);
    if (deviceAt === undefined)
      throw new MediaError('protocol', 'the device sends no replay times with its pictures');
    last = { timestamp, deviceAt };
    return deviceAt;
  }

  return {
    push(packet: Buffer): ReplayPicture[] {
      const read = readReplayPacket(packet);
      if (!read) throw new MediaError('protocol', 'the device sent something that is no RTP packet');
      const { timestamp, replay } = read;
      const done = open && open.timestamp !== timestamp ? take() : [];
      const kinds = unitKinds(codec, packet, read.payloadAt, read.payloadEnd);
      open ??= {
        timestamp,
        sizeBytes: 0,
        deviceAt: timeOf(timestamp, replay?.deviceAt),
        isKey: false,
        hasParameters: false,
        isDiscontinuity: replay?.isDiscontinuity === true,
        packets: [],
      };
      open.isKey ||= kinds.hasKey;
      open.hasParameters ||= kinds.hasParameters;
      open.packets.push(packet);
      open.sizeBytes += packet.length;
      if (open.sizeBytes > PICTURE_LIMIT_BYTES || open.packets.length > PACKET_LIMIT)
        throw new MediaError('too-large', 'one picture of the replay has no end');
      return read.isMarked ? [...done, ...take()] : done;
    },
    /** The picture that was still open. */
    end: take,
  };
}

/** What is to be done with a picture: left out, kept, or the end of this stretch (the picture itself left out). */
export type Cut =
  | 'skip'
  | 'keep'
  /** The range is complete: here begins the first group of pictures behind it. */
  | 'complete'
  /** Footage is missing before this picture; what follows is a stretch of its own. */
  | 'gap';

/** A leap of this length between two pictures is a hole: cameras that save bandwidth send one picture in some seconds. */
const LEAP_MS = 5_000;
/** The same where the device itself speaks of a hole. */
const TOLD_LEAP_MS = 1_500;

/**
 * Cuts a replay to whole groups of pictures: those whose key picture lies in the range, each once. Neighbouring ranges then share no
 * picture and lose none, wherever the device begins and ends.
 */
export function createCutter(range: { fromDeviceAt: number; untilDeviceAt: number }) {
  let lastAt: number | undefined;
  return (picture: ReplayPicture): Cut => {
    const { deviceAt, isKey } = picture;
    if (isKey && deviceAt >= range.untilDeviceAt) return 'complete';
    if (lastAt === undefined) {
      // Before the first key picture of the range nothing can be decoded, or it belongs to the range before.
      if (!isKey || deviceAt < range.fromDeviceAt) return 'skip';
      lastAt = deviceAt;
      return 'keep';
    }
    const leapMs = deviceAt - lastAt;
    if (leapMs > LEAP_MS || leapMs < -LEAP_MS || (picture.isDiscontinuity && leapMs > TOLD_LEAP_MS))
      return 'gap';
    lastAt = Math.max(lastAt, deviceAt); // B-pictures come after the one they precede
    return 'keep';
  };
}
