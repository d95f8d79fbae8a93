import { MediaError } from '#media/errors.ts';
import type { DeviceContext } from './context.ts';
import { attribute, escapeXml, list, text } from './xml.ts';

/** A stored position. */
export interface Preset {
  token: string;
  name?: string;
}

/** Moves one camera; `profileToken` is that of one of the channel's streams. Each throws the MediaErrors of DeviceContext.ask. */
export interface PtzControl {
  /**
   * Speeds from -1 to 1 (pan right, tilt up, zoom in are positive). The camera stops by itself after `timeoutS` whole seconds (1 to
   * 60), so that a lost connection never leaves it turning.
   */
  continuousMove(
    profileToken: string,
    velocity: { pan: number; tilt: number; zoom: number },
    timeoutS: number,
  ): Promise<void>;
  stop(profileToken: string): Promise<void>;
  listPresets(profileToken: string): Promise<Preset[]>;
  gotoPreset(profileToken: string, presetToken: string): Promise<void>;
}

const profile = (token: string): string => `<tptz:ProfileToken>${escapeXml(token)}</tptz:ProfileToken>`;

/** PTZ of one device, through node-onvif-ts where it suits. */
export function createPtz(context: DeviceContext): PtzControl {
  return {
    async continuousMove(profileToken, { pan, tilt, zoom }, timeoutS) {
      if (![pan, tilt, zoom].every((speed) => Number.isFinite(speed) && Math.abs(speed) <= 1)) {
        throw new MediaError('rejected', 'a PTZ speed must lie between -1 and 1');
      }
      if (!Number.isInteger(timeoutS) || timeoutS < 1 || timeoutS > 60) {
        throw new MediaError('rejected', 'a PTZ move lasts 1 to 60 whole seconds');
      }
      const velocity = `<tt:PanTilt x="${pan}" y="${tilt}"/>${zoom === 0 ? '' : `<tt:Zoom x="${zoom}"/>`}`;
      await context.askEither(
        'ptz',
        { operation: 'ContinuousMove', profileToken, velocity: { x: pan, y: tilt, z: zoom }, timeoutS },
        `${profile(profileToken)}<tptz:Velocity>${velocity}</tptz:Velocity><tptz:Timeout>PT${timeoutS}S</tptz:Timeout>`,
        [profileToken],
      );
    },
    async stop(profileToken) {
      await context.askEither(
        'ptz',
        { operation: 'Stop', profileToken },
        `${profile(profileToken)}<tptz:PanTilt>true</tptz:PanTilt><tptz:Zoom>true</tptz:Zoom>`,
        [profileToken],
      );
    },
    async listPresets(profileToken) {
      const answer = await context.askEither(
        'ptz',
        { operation: 'GetPresets', profileToken },
        profile(profileToken),
        [profileToken],
      );
      return list(answer, 'Preset').flatMap((preset) => {
        const token = attribute(preset, 'token');
        return token === undefined ? [] : [{ token, name: text(preset, 'Name') }];
      });
    },
    async gotoPreset(profileToken, presetToken) {
      await context.askEither(
        'ptz',
        { operation: 'GotoPreset', profileToken, presetToken },
        `${profile(profileToken)}<tptz:PresetToken>${escapeXml(presetToken)}</tptz:PresetToken>`,
        [profileToken, presetToken],
      );
    },
  };
}
