import { m } from '../../paraglide/messages.js';

/** What each layer of a look is called. */
const layerNames: Readonly<Record<string, () => string>> = {
  tcp: m.devices_layer_tcp,
  rtsp: m.devices_layer_rtsp,
  keyframe: m.devices_layer_keyframe,
  decode: m.devices_layer_decode,
};

/** What went wrong, by the media error code behind the dot of a reason. */
const problemTexts: Readonly<Record<string, () => string>> = {
  unreachable: m.devices_problem_unreachable,
  timeout: m.devices_problem_timeout,
  unauthorized: m.devices_problem_unauthorized,
  locked: m.devices_problem_locked,
  protocol: m.devices_problem_protocol,
  'too-large': m.devices_problem_protocol,
  'not-supported': m.devices_problem_not_supported,
  rejected: m.devices_problem_rejected,
  'no-media': m.devices_problem_no_media,
  'bad-output': m.devices_problem_bad_picture,
  'no-space': m.devices_problem_no_space,
  slow: m.devices_problem_slow,
};

export function layerName(layer: string): string {
  return layerNames[layer]?.() ?? layer;
}

/** A media error code in words; an unknown code as it is. */
export function problemText(code: string): string {
  return problemTexts[code]?.() ?? code;
}

/** `tcp.unreachable` as a person would say it; null stays unknown. */
export function reasonText(reason: string | null): string {
  if (reason === null) return m.common_unknown();
  const [layer = '', code = ''] = reason.split('.');
  return code === '' ? problemText(layer) : problemText(code);
}
