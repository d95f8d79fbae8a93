import { openDevice, type OnvifDevice } from '#media/onvif/device.ts';
import { discover } from '#media/onvif/discovery.ts';
import { learnDevice } from '#media/onvif/learn.ts';
import { scanRange } from '#media/onvif/scan.ts';

/** What the register needs of ONVIF; tests put a scripted one in its place. */
export interface OnvifPort {
  readonly discover: typeof discover;
  readonly scanRange: typeof scanRange;
  readonly learnDevice: typeof learnDevice;
  openDevice(...args: Parameters<typeof openDevice>): Pick<OnvifDevice, 'getSnapshot' | 'ptz' | 'events'>;
}

/** The real network. */
export const onvif: OnvifPort = { discover, scanRange, learnDevice, openDevice };
