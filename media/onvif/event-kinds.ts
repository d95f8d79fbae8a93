import type { OnvifEvent } from './events.ts';

/** What a notification says in the words of this program. */
export interface Noticed {
  readonly kind: 'motion' | 'alarm' | 'tamper' | 'video-loss';
  /** true: began or goes on; false: over; undefined: a mere pulse, as of a push button. */
  readonly isActive: boolean | undefined;
  /** Every token the device names as where it comes from, most telling first. */
  readonly tokens: readonly string[];
}

/**
 * Topics that tell something about what the camera saw. Source: ONVIF Imaging and Analytics service specifications (VideoSource/…, RuleEngine/…),
 * Device IO (Device/Trigger/…), Core annex A.
 */
const topics: readonly (readonly [RegExp, Noticed['kind']])[] = [
  [/^VideoSource\/MotionAlarm$/, 'motion'],
  [/^RuleEngine\/(CellMotionDetector|MotionRegionDetector)\b/, 'motion'],
  [/^VideoAnalytics\/Motion/, 'motion'],
  [/^VideoSource\/(GlobalSceneChange|ImageTooDark|ImageTooBright|ImageTooBlurry)\b/, 'tamper'],
  [/^RuleEngine\/TamperDetector\b/, 'tamper'],
  [/^VideoSource\/SignalLoss\b/, 'video-loss'],
  [/^RuleEngine\//, 'alarm'],
  [/^Device\/Trigger\/DigitalInput\b/, 'alarm'],
  [/^VideoSource\/Alarm\b/, 'alarm'],
];

/** undefined for what tells nothing about the picture: relays, log-ins, recording jobs. */
export function readNoticed(event: OnvifEvent): Noticed | undefined {
  const kind = topics.find(([topic]) => topic.test(event.topic))?.[1];
  if (!kind) return undefined;
  const { source, data } = event;
  const tokens = ['VideoSourceToken', 'Source', 'VideoSource', 'VideoSourceConfigurationToken', 'InputToken']
    .flatMap((name) => source[name] ?? [])
    .filter((token) => token !== '');
  const states = ['State', 'IsMotion', 'IsInside', 'IsTamper', 'LogicalState', 'Value'].flatMap(
    (name) => data[name] ?? [],
  );
  const state = states[0]?.trim().toLowerCase();
  const isActive =
    state === undefined
      ? undefined
      : ['true', '1', 'on'].includes(state)
        ? true
        : ['false', '0', 'off'].includes(state)
          ? false
          : undefined;
  return { kind, isActive: event.operation === 'Deleted' ? false : isActive, tokens };
}
