import type { Place } from './world.ts';

/** Backgrounds that rtsp/scene.py can draw. */
export type SceneKind =
  'hall' | 'desk' | 'pharmacy' | 'store' | 'lab' | 'lift' | 'station' | 'corridor' | 'parking';

/** One video source: a camera has one, the NVR eight. */
export interface ChannelSpec {
  /** 1..255, unique in the hospital: the camera number in the frame stamp. */
  number: number;
  name: string;
  scene: SceneKind;
  /** Words on the sign in the picture. */
  sign: string;
  place: Place;
  codec: 'H264' | 'H265';
  bFrames: number;
  audio: 'G711' | 'AAC' | null;
}

/** How a device differs from a well-behaved one. Absent means well-behaved. */
export interface Traits {
  /** Fixed error of the device's own clock, on top of the `clockSkew` fault. */
  clockSkewMs?: number;
  /** Profiles without the optional RateControl element. */
  noRateControl?: boolean;
  /** Which media services it has; default both. */
  media?: 'media1' | 'media2' | 'both' | 'none';
  /** Which credentials it takes; default both. */
  auth?: 'wsse' | 'digest' | 'both';
  /** HTTPS with a certificate made by its own authority. */
  tls?: boolean;
  /** SOAP faults carry xml:lang and come with HTTP 200. */
  faultLang?: boolean;
  /** What the snapshot address answers: a JPEG (default) or 404. */
  snapshot?: 'jpeg' | '404';
  /** Every HTTP answer waits so long. */
  slowMs?: number;
  /** HTTP answers that are not SOAP at all, or are hostile. `hang` never answers. */
  body?: 'huge' | 'html' | 'truncated' | 'garbage' | 'deep' | 'empty' | 'hang';
  /** Puts a `<__proto__>` element into GetDeviceInformation. */
  proto?: boolean;
  /** Locks the account for `lockMs` after so many wrong passwords in a row. */
  lockAfter?: number;
  /** Moves (pan, tilt, zoom). */
  ptz?: boolean;
  /** How its WS-Discovery answers differ. */
  discovery?:
    | 'duplicate' // sends each match twice
    | 'pair' // one datagram holds its own match and that of the device before it
    | 'wrong-relates-to'
    | 'foreign-xaddr' // announces an address outside the camera network
    | 'garbage' // 1 MB of random datagrams before a match
    | 'exact-type' // answers only when the probe asks for exactly dn:NetworkVideoTransmitter
    | 'silent'; // does not answer at all: found by an address scan or added by hand
}

export interface DeviceSpec {
  id: string;
  kind: 'camera' | 'nvr' | 'odd';
  name: string;
  /** Last part of the loopback address. */
  host: number;
  manufacturer: string;
  model: string;
  firmware: string;
  serial: string;
  user: string;
  password: string;
  channels: readonly ChannelSpec[];
  traits: Traits;
}

/** User and password of most devices. */
export const DEFAULT_USER = 'admin';
export const DEFAULT_PASSWORD = 'Hospital#2026';

type ChannelExtra = Partial<Pick<ChannelSpec, 'codec' | 'bFrames' | 'audio'>>;

function channel(
  number: number,
  name: string,
  scene: SceneKind,
  sign: string,
  at: readonly [floorId: string, x: number, y: number, headingDeg: number, fovDeg: number],
  extra: ChannelExtra = {},
): ChannelSpec {
  const [floorId, x, y, headingDeg, fovDeg] = at;
  const place = { floorId, x, y, headingDeg, fovDeg };
  return { number, name, scene, sign, place, codec: 'H264', bFrames: 0, audio: null, ...extra };
}

interface DeviceExtra {
  traits?: Traits;
  user?: string;
  password?: string;
  firmware?: string;
  serial?: string;
  model?: string;
}

function camera(host: number, source: ChannelSpec, extra: DeviceExtra = {}): DeviceSpec {
  return {
    id: `cam-${String(source.number).padStart(2, '0')}`,
    kind: 'camera',
    name: source.name,
    host,
    manufacturer: host % 2 ? 'Hean' : 'Minjiang',
    model: extra.model ?? (host % 2 ? 'HN-IPC2C40' : 'MJ-D2200'),
    firmware: extra.firmware ?? (host % 2 ? 'V5.7.12 build 240311' : '2.840.0000000.6.R'),
    serial: extra.serial ?? `HN2C40${String(20260000 + host)}`,
    user: extra.user ?? DEFAULT_USER,
    password: extra.password ?? DEFAULT_PASSWORD,
    channels: [source],
    traits: extra.traits ?? {},
  };
}

function odd(host: number, id: string, name: string, traits: Traits): DeviceSpec {
  return {
    id: `odd-${id}`,
    kind: 'odd',
    name,
    host,
    manufacturer: 'Unbekannt',
    model: `X-${host}`,
    firmware: '0.9',
    serial: `X${host}`,
    user: DEFAULT_USER,
    password: DEFAULT_PASSWORD,
    channels: [],
    traits,
  };
}

const cameras: DeviceSpec[] = [
  camera(11, channel(1, '门诊一层 急诊大厅 01', 'hall', '急诊大厅', ['mz1', 120, 780, 50, 92]), {
    traits: { discovery: 'duplicate' },
  }),
  camera(12, channel(2, '门诊一层 挂号收费', 'desk', '挂号 收费', ['mz1', 620, 580, 140, 85]), {
    traits: { media: 'media1', auth: 'wsse' },
  }),
  camera(
    13,
    channel(3, '门诊一层 药房', 'pharmacy', '门诊药房', ['mz1', 960, 590, 135, 85], { codec: 'H265' }),
  ),
  camera(14, channel(4, '门诊一层 电梯厅', 'lift', '电梯厅', ['mz1', 1500, 580, 225, 80], { bFrames: 2 }), {
    traits: { media: 'media1', discovery: 'pair' },
  }),
  camera(
    15,
    channel(5, '门诊一层 急诊走廊', 'corridor', '急诊走廊', ['mz1', 90, 420, 90, 70], { audio: 'G711' }),
  ),
  camera(16, channel(6, '门诊二层 检验科', 'lab', '检验科', ['mz2', 580, 110, 230, 88]), {
    traits: { media: 'media2' },
  }),
  camera(17, channel(7, '门诊二层 候诊区', 'hall', '候诊区', ['mz2', 110, 540, 130, 95]), {
    traits: { auth: 'digest' },
  }),
  camera(18, channel(8, '门诊三层 信息机房', 'store', '信息机房', ['mz3', 100, 100, 135, 90]), {
    traits: { tls: true },
    password: 'Jifang@8848',
  }),
  camera(19, channel(9, '院区 停车场', 'parking', '停车场', ['site', 190, 570, 130, 75]), {
    traits: { ptz: true },
    model: 'HN-PTZ4225',
  }),
  camera(20, channel(10, '院区 大门', 'parking', '东大门', ['site', 1330, 690, 265, 80]), {
    traits: { clockSkewMs: 7 * 60_000, discovery: 'exact-type' },
  }),
  camera(21, channel(11, '住院一层 大厅', 'hall', '住院大厅', ['zy1', 110, 790, 45, 95]), {
    traits: { noRateControl: true, media: 'media1' },
  }),
  camera(
    22,
    channel(12, '住院一层 药库', 'store', '药库', ['zy1', 100, 100, 130, 85], {
      codec: 'H265',
      audio: 'AAC',
    }),
  ),
  camera(23, channel(13, '住院二层 内科护士站', 'station', '护士站', ['zy2', 740, 100, 160, 90]), {
    traits: { faultLang: true, lockAfter: 5 },
    firmware: '1.10',
    serial: '12345678901234567890',
  }),
  camera(24, channel(14, '住院三层 外科走廊', 'corridor', '外科走廊', ['zy3', 1500, 440, 270, 65]), {
    traits: { snapshot: '404' },
    user: 'view&<er>',
    password: 'P&ss<7>"x\'',
  }),
];

const nvrChannels: ChannelSpec[] = [
  channel(101, '住院一层 出入院办理', 'desk', '出入院办理', ['zy1', 660, 590, 135, 85]),
  channel(102, '住院一层 电梯厅', 'lift', '电梯厅', ['zy1', 1500, 590, 235, 80]),
  channel(103, '住院二层 内科走廊', 'corridor', '内科走廊', ['zy2', 90, 440, 90, 65]),
  channel(104, '住院二层 治疗室', 'lab', '治疗室', ['zy2', 1040, 100, 150, 85]),
  channel(105, '住院二层 活动室', 'hall', '活动室', ['zy2', 860, 530, 135, 95]),
  channel(106, '住院三层 外科护士站', 'station', '护士站', ['zy3', 660, 100, 150, 90]),
  channel(107, '住院三层 重症监护室门口', 'corridor', '重症监护室', ['zy3', 1130, 400, 300, 75]),
  channel(108, '住院三层 电梯厅', 'lift', '电梯厅', ['zy3', 1500, 520, 235, 80]),
];

const nvr: DeviceSpec = {
  id: 'nvr-01',
  kind: 'nvr',
  name: '住院楼 硬盘录像机',
  host: 40,
  manufacturer: 'Hean',
  model: 'HN-NVR7808',
  firmware: 'V4.62.210 build 250118',
  serial: 'HN7808202600040',
  user: DEFAULT_USER,
  password: DEFAULT_PASSWORD,
  channels: nvrChannels,
  traits: {},
};

const oddDevices: DeviceSpec[] = [
  odd(61, 'slow', '慢设备', { slowMs: 4000 }),
  odd(62, 'huge', '超大应答设备', { body: 'huge', discovery: 'garbage' }),
  odd(63, 'html', '网页应答设备', { body: 'html' }),
  odd(64, 'truncated', '截断应答设备', { body: 'truncated' }),
  odd(65, 'garbage', '乱码应答设备', { body: 'garbage' }),
  odd(66, 'deep', '深层嵌套设备', { body: 'deep' }),
  odd(67, 'empty', '空应答设备', { body: 'empty' }),
  odd(68, 'hang', '不应答设备', { body: 'hang' }),
  odd(69, 'proto', '原型元素设备', { proto: true, media: 'none' }),
  odd(70, 'relates', '错误关联设备', { discovery: 'wrong-relates-to', media: 'none' }),
  odd(71, 'foreign', '网外地址设备', { discovery: 'foreign-xaddr', media: 'none' }),
];

/** Every device of the hospital: 14 cameras, 1 NVR, then 11 odd ones that a robust client must survive. */
export const deviceSpecs: readonly DeviceSpec[] = [...cameras, nvr, ...oddDevices];
