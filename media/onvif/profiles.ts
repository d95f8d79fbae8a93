import { noteOf, type DeviceNote } from './notes.ts';
import type { Codec, Profile } from './types.ts';
import { attribute, find, list, number, text, type XmlNode } from './xml.ts';

/**
 * Profiles of a GetProfilesResponse of Media1. A profile that cannot be used (no token) gives a warning and hides only itself; what a
 * profile leaves out (RateControl, resolution, the whole encoder) is simply unknown.
 */
export function profilesOfMedia1(response: XmlNode): { profiles: Profile[]; warnings: DeviceNote[] } {
  return collect(response, (node) => {
    const encoder = find(node, 'VideoEncoderConfiguration');
    const codec = codecOf(text(encoder, 'Encoding'));
    return {
      ...sourceOf(find(node, 'VideoSourceConfiguration')),
      codec,
      ...pictureOf(encoder),
      gopFrames: positive(number(encoder, codec ?? 'H264', 'GovLength')),
      hasAudio: find(node, 'AudioEncoderConfiguration') !== undefined,
      hasPtz: find(node, 'PTZConfiguration') !== undefined,
    };
  });
}

/** The same of Media2, whose configurations are elements named VideoSource, VideoEncoder, AudioEncoder and PTZ. */
export function profilesOfMedia2(response: XmlNode): { profiles: Profile[]; warnings: DeviceNote[] } {
  return collect(response, (node) => {
    const configurations = find(node, 'Configurations');
    const encoder = find(configurations, 'VideoEncoder');
    const gop = attribute(encoder, 'GovLength');
    return {
      ...sourceOf(find(configurations, 'VideoSource')),
      codec: codecOf(text(encoder, 'Encoding')),
      ...pictureOf(encoder),
      gopFrames: gop === undefined ? undefined : positive(Number(gop)),
      hasAudio: find(configurations, 'AudioEncoder') !== undefined,
      hasPtz: find(configurations, 'PTZ') !== undefined,
    };
  });
}

function collect(response: XmlNode, read: (node: XmlNode) => Omit<Profile, 'token' | 'name'>) {
  const profiles: Profile[] = [];
  const warnings: DeviceNote[] = [];
  for (const [index, node] of list(response, 'Profiles').entries()) {
    const token = attribute(node, 'token');
    if (token === undefined) warnings.push(noteOf('profile-without-token', { number: String(index + 1) }));
    else profiles.push({ token, name: text(node, 'Name'), ...read(node) });
  }
  return { profiles, warnings };
}

function sourceOf(source: XmlNode | undefined) {
  return { sourceToken: text(source, 'SourceToken'), sourceName: text(source, 'Name') };
}

function pictureOf(encoder: XmlNode | undefined) {
  const bitrateKbps = positive(number(encoder, 'RateControl', 'BitrateLimit'));
  return {
    width: positive(number(encoder, 'Resolution', 'Width')),
    height: positive(number(encoder, 'Resolution', 'Height')),
    frameRateFps: positive(number(encoder, 'RateControl', 'FrameRateLimit')),
    bitrateBps: bitrateKbps === undefined ? undefined : bitrateKbps * 1000,
  };
}

/** Devices write 0 for "not set"; unknown is never 0. */
const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;

function codecOf(encoding: string | undefined): Codec | undefined {
  if (encoding === undefined) return undefined;
  const name = encoding.toUpperCase().replace(/[.\s/-]/g, '');
  if (name === 'H264') return 'H264';
  if (name === 'H265' || name === 'HEVC') return 'H265';
  return name === 'JPEG' ? 'JPEG' : 'other';
}

/**
 * The order in which profiles of one source are tried as main and as sub stream.
 * Main: largest playable picture first (H.264 and H.265 before JPEG before others), higher bit rate on a tie, else the device's order.
 * Sub: smallest picture that is smaller than the main one and at least 160 wide; where sizes are unknown, the later profiles.
 */
export function mainOrder(profiles: readonly Profile[]): Profile[] {
  return profiles
    .filter((profile) => profile.codec !== undefined)
    .toSorted(
      (a, b) =>
        rank(a) - rank(b) || (area(b) ?? 0) - (area(a) ?? 0) || (b.bitrateBps ?? 0) - (a.bitrateBps ?? 0),
    );
}

/** See mainOrder. */
export function subOrder(profiles: readonly Profile[], main: Profile): Profile[] {
  const mainArea = area(main);
  const isSmaller = (profile: Profile): boolean => {
    const size = area(profile);
    if (size === undefined || mainArea === undefined) return size === undefined;
    if (size === mainArea) return (profile.bitrateBps ?? Infinity) < (main.bitrateBps ?? 0);
    return size < mainArea && (profile.width ?? 0) >= 160;
  };
  return profiles
    .filter((profile) => profile.token !== main.token && profile.codec !== undefined && isSmaller(profile))
    .toSorted((a, b) => rank(a) - rank(b) || (area(a) ?? 0) - (area(b) ?? 0));
}

const rank = (profile: Profile): number =>
  profile.codec === 'H264' || profile.codec === 'H265' ? 0 : profile.codec === 'JPEG' ? 1 : 2;
const area = ({ width, height }: Profile): number | undefined =>
  width === undefined || height === undefined ? undefined : width * height;
