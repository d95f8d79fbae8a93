import type { SimDevice } from '../device.ts';
import { isoTime, noSuch, SoapFault } from '../soap.ts';
import { child, textAt, xml, Xml, type Node } from '../xml.ts';
import type { Handlers } from './handlers.ts';
import { ptzConfiguration } from './media.ts';

/** Share of the whole range that speed 1 moves in a second. */
const RANGE_PER_S = 0.25;
const DEFAULT_TIMEOUT_MS = 10_000;

interface Vector {
  pan: number;
  tilt: number;
  zoom: number;
}

interface Head {
  position: Vector;
  speed: Vector;
  /** When `position` was right; the head moves on from there with `speed` until `stopAt`. */
  atMs: number;
  stopAt: number;
  presets: Map<string, { name: string; position: Vector }>;
}

const heads = new WeakMap<SimDevice, Head>();
const still = (): Vector => ({ pan: 0, tilt: 0, zoom: 0 });
const clamp = (value: number, low: number): number => Math.max(low, Math.min(1, value));

/** The head with its position brought up to now. */
function head(device: SimDevice): Head {
  let h = heads.get(device);
  if (!h) {
    h = { position: still(), speed: still(), atMs: Date.now(), stopAt: 0, presets: new Map() };
    h.presets.set('1', { name: '大门入口', position: { pan: -0.5, tilt: 0.1, zoom: 0.2 } });
    heads.set(device, h);
  }
  const now = Date.now();
  const seconds = Math.max(0, Math.min(now, h.stopAt) - h.atMs) / 1000;
  const { position: p, speed: s } = h;
  h.position = {
    pan: clamp(p.pan + s.pan * seconds * RANGE_PER_S * 2, -1),
    tilt: clamp(p.tilt + s.tilt * seconds * RANGE_PER_S * 2, -1),
    zoom: clamp(p.zoom + s.zoom * seconds * RANGE_PER_S, 0),
  };
  h.atMs = now;
  if (now >= h.stopAt) h.speed = still();
  return h;
}

function vector(node: Node | undefined, fallback: Vector): Vector {
  const number = (element: string, axis: 'x' | 'y', other: number): number => {
    const value = child(node, element)?.[`@_${axis}`];
    const parsed = value === undefined ? other : Number(value);
    if (!Number.isFinite(parsed) || Math.abs(parsed) > 1) {
      throw new SoapFault(
        'Sender',
        ['ter:InvalidArgVal', 'ter:InvalidPosition'],
        `Out of range: ${String(value)}`,
      );
    }
    return parsed;
  };
  return {
    pan: number('PanTilt', 'x', fallback.pan),
    tilt: number('PanTilt', 'y', fallback.tilt),
    zoom: number('Zoom', 'x', fallback.zoom),
  };
}

function checkProfile(device: SimDevice, body: Node): void {
  const token = textAt(body, 'ProfileToken');
  if (!device.streams.some((s) => s.token === token))
    throw noSuch('ter:NoProfile', `No profile ${token ?? ''}`);
}

const moves = (isMoving: boolean): string => (isMoving ? 'MOVING' : 'IDLE');

const place = (v: Vector): Xml =>
  xml`<tt:PanTilt x="${v.pan.toFixed(3)}" y="${v.tilt.toFixed(3)}"/><tt:Zoom x="${v.zoom.toFixed(3)}"/>`;

function preset(device: SimDevice, body: Node): { name: string; position: Vector } {
  const found = head(device).presets.get(textAt(body, 'PresetToken') ?? '');
  if (!found) throw noSuch('ter:NoToken', 'No such preset');
  return found;
}

/** Pan, tilt, zoom with a head that really moves over time. Source: ONVIF PTZ Service Specification §5. */
export const ptzHandlers: Handlers = {
  GetNodes: () =>
    xml`<tptz:GetNodesResponse><tptz:PTZNode token="PTZNODE_1"><tt:Name>Dome</tt:Name><tt:SupportedPTZSpaces><tt:ContinuousPanTiltVelocitySpace><tt:URI>http://www.onvif.org/ver10/tptz/PanTiltSpaces/VelocityGenericSpace</tt:URI><tt:XRange><tt:Min>-1</tt:Min><tt:Max>1</tt:Max></tt:XRange><tt:YRange><tt:Min>-1</tt:Min><tt:Max>1</tt:Max></tt:YRange></tt:ContinuousPanTiltVelocitySpace></tt:SupportedPTZSpaces><tt:MaximumNumberOfPresets>32</tt:MaximumNumberOfPresets><tt:HomeSupported>false</tt:HomeSupported></tptz:PTZNode></tptz:GetNodesResponse>`,
  GetConfigurations: () =>
    xml`<tptz:GetConfigurationsResponse>${new Xml(ptzConfiguration.text.replaceAll('tt:PTZConfiguration', 'tptz:PTZConfiguration'))}</tptz:GetConfigurationsResponse>`,
  GetStatus: ({ device, body }) => {
    checkProfile(device, body);
    const h = head(device);
    return xml`<tptz:GetStatusResponse><tptz:PTZStatus><tt:Position>${place(h.position)}</tt:Position><tt:MoveStatus><tt:PanTilt>${moves(h.speed.pan !== 0 || h.speed.tilt !== 0)}</tt:PanTilt><tt:Zoom>${moves(h.speed.zoom !== 0)}</tt:Zoom></tt:MoveStatus><tt:UtcTime>${isoTime(device.clockAt())}</tt:UtcTime></tptz:PTZStatus></tptz:GetStatusResponse>`;
  },
  ContinuousMove: ({ device, body }) => {
    checkProfile(device, body);
    const h = head(device);
    h.speed = vector(child(body, 'Velocity'), still());
    const timeout = /^PT(\d+(?:\.\d+)?)S$/.exec(textAt(body, 'Timeout') ?? '');
    h.stopAt = Date.now() + (timeout ? Number(timeout[1]) * 1000 : DEFAULT_TIMEOUT_MS);
    return xml`<tptz:ContinuousMoveResponse/>`;
  },
  Stop: ({ device, body }) => {
    checkProfile(device, body);
    const h = head(device);
    h.stopAt = 0;
    h.speed = still();
    return xml`<tptz:StopResponse/>`;
  },
  AbsoluteMove: ({ device, body }) => {
    checkProfile(device, body);
    const h = head(device);
    Object.assign(h, { position: vector(child(body, 'Position'), h.position), speed: still(), stopAt: 0 });
    return xml`<tptz:AbsoluteMoveResponse/>`;
  },
  GetPresets: ({ device, body }) => {
    checkProfile(device, body);
    return xml`<tptz:GetPresetsResponse>${[...head(device).presets].map(([token, p]) => xml`<tptz:Preset token="${token}"><tt:Name>${p.name}</tt:Name><tt:PTZPosition>${place(p.position)}</tt:PTZPosition></tptz:Preset>`)}</tptz:GetPresetsResponse>`;
  },
  GotoPreset: ({ device, body }) => {
    checkProfile(device, body);
    Object.assign(head(device), { position: preset(device, body).position, speed: still(), stopAt: 0 });
    return xml`<tptz:GotoPresetResponse/>`;
  },
};
