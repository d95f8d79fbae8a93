/** Where things are: the fictional hospital's site, buildings, floors and the plan pixels its cameras stand on. */

/** A point on a floor's plan and the way a camera there looks. */
export interface Place {
  floorId: string;
  /** Plan pixels from the left and the top of the floor's SVG. */
  x: number;
  y: number;
  /** Where the lens points: 0 is the top of the plan, clockwise. */
  headingDeg: number;
  /** Horizontal angle of view. */
  fovDeg: number;
}

/** A room of a floor, as a rectangle in plan pixels. `kind` decides its fill. */
export interface Room {
  name: string;
  x: number;
  y: number;
  width: number;
  height: number;
  kind: 'public' | 'clinical' | 'staff' | 'plant' | 'outdoor';
  /** Door in a wall of the room: side and the share of the wall's length at which its middle stands. */
  door?: { side: 'n' | 'e' | 's' | 'w'; at: number };
}

export interface Floor {
  id: string;
  /** The building's id; the campus plan (outdoor) has none. */
  buildingId: string | null;
  name: string;
  level: number;
  /** File name in test/simulators/plans. */
  plan: string;
  widthPx: number;
  heightPx: number;
  metresPerPx: number;
  rooms: readonly Room[];
}

export interface Building {
  id: string;
  name: string;
  nameEn: string;
}

export interface World {
  site: { id: string; name: string; nameEn: string; zone: string };
  buildings: readonly Building[];
  floors: readonly Floor[];
}

const WIDTH = 1600;
const HEIGHT = 900;

function room(
  name: string,
  kind: Room['kind'],
  box: readonly [number, number, number, number],
  door?: readonly ['n' | 'e' | 's' | 'w', number],
): Room {
  const [x, y, width, height] = box;
  return { name, kind, x, y, width, height, ...(door ? { door: { side: door[0], at: door[1] } } : {}) };
}

function floor(id: string, buildingId: string | null, name: string, level: number, rooms: Room[]): Floor {
  return {
    id,
    buildingId,
    name,
    level,
    plan: `${id}.svg`,
    widthPx: WIDTH,
    heightPx: HEIGHT,
    metresPerPx: buildingId === null ? 0.125 : 0.05,
    rooms,
  };
}

/** The hospital all simulators share. Every floor plan is 1600 x 900 pixels. */
export const world: World = {
  site: { id: 'hean', name: '天府和安医院', nameEn: "Tianfu He'an Hospital", zone: 'Asia/Shanghai' },
  buildings: [
    { id: 'mz', name: '门诊楼', nameEn: 'Outpatient building' },
    { id: 'zy', name: '住院楼', nameEn: 'Inpatient building' },
  ],
  floors: [
    floor('site', null, '院区总平面', 0, [
      room('门诊楼', 'public', [180, 140, 560, 300], ['s', 0.5]),
      room('住院楼', 'clinical', [900, 140, 520, 300], ['s', 0.5]),
      room('连廊', 'staff', [740, 250, 160, 80]),
      room('停车场', 'outdoor', [180, 560, 620, 240]),
      room('绿地', 'outdoor', [900, 560, 340, 240]),
      room('大门岗亭', 'plant', [1340, 640, 120, 100], ['w', 0.5]),
    ]),
    floor('mz1', 'mz', '门诊楼一层', 1, [
      room('急诊大厅', 'public', [80, 480, 520, 340], ['s', 0.5]),
      room('挂号收费', 'staff', [600, 560, 340, 260], ['n', 0.5]),
      room('门诊药房', 'staff', [940, 560, 320, 260], ['n', 0.5]),
      room('抢救室', 'clinical', [80, 80, 280, 280], ['s', 0.6]),
      room('急诊诊室', 'clinical', [360, 80, 300, 280], ['s', 0.5]),
      room('输液室', 'clinical', [660, 80, 320, 280], ['s', 0.5]),
      room('电梯厅', 'public', [1260, 560, 260, 260], ['n', 0.5]),
      room('放射科', 'clinical', [980, 80, 320, 280], ['s', 0.4]),
      room('消控室', 'plant', [1300, 80, 220, 280], ['s', 0.5]),
      room('急诊走廊', 'public', [80, 360, 1440, 120]),
      room('门诊大厅', 'public', [600, 480, 920, 80]),
    ]),
    floor('mz2', 'mz', '门诊楼二层', 2, [
      room('检验科', 'clinical', [80, 80, 520, 320], ['s', 0.7]),
      room('标本库', 'plant', [600, 80, 200, 320], ['s', 0.5]),
      room('内科诊区', 'clinical', [800, 80, 360, 320], ['s', 0.5]),
      room('外科诊区', 'clinical', [1160, 80, 360, 320], ['s', 0.5]),
      room('二层走廊', 'public', [80, 400, 1440, 110]),
      room('候诊区', 'public', [80, 510, 760, 310], ['n', 0.5]),
      room('儿科诊区', 'clinical', [840, 510, 420, 310], ['n', 0.5]),
      room('电梯厅', 'public', [1260, 510, 260, 310], ['n', 0.5]),
    ]),
    floor('mz3', 'mz', '门诊楼三层', 3, [
      room('信息机房', 'plant', [80, 80, 400, 320], ['s', 0.7]),
      room('信息科', 'staff', [480, 80, 320, 320], ['s', 0.5]),
      room('院办', 'staff', [800, 80, 360, 320], ['s', 0.5]),
      room('视频会议室', 'staff', [1160, 80, 360, 320], ['s', 0.3]),
      room('三层走廊', 'public', [80, 400, 1440, 110]),
      room('财务科', 'staff', [80, 510, 380, 310], ['n', 0.5]),
      room('档案室', 'plant', [460, 510, 380, 310], ['n', 0.5]),
      room('培训教室', 'staff', [840, 510, 420, 310], ['n', 0.5]),
      room('电梯厅', 'public', [1260, 510, 260, 310], ['n', 0.5]),
    ]),
    floor('zy1', 'zy', '住院楼一层', 1, [
      room('住院大厅', 'public', [80, 480, 560, 340], ['s', 0.5]),
      room('出入院办理', 'staff', [640, 560, 360, 260], ['n', 0.5]),
      room('药库', 'plant', [80, 80, 480, 280], ['s', 0.7]),
      room('静配中心', 'clinical', [560, 80, 380, 280], ['s', 0.5]),
      room('中心供氧', 'plant', [940, 80, 280, 280], ['s', 0.5]),
      room('配电室', 'plant', [1220, 80, 300, 280], ['s', 0.5]),
      room('一层走廊', 'public', [80, 360, 1440, 120]),
      room('门厅', 'public', [640, 480, 880, 80]),
      room('电梯厅', 'public', [1000, 560, 520, 260], ['n', 0.5]),
    ]),
    floor('zy2', 'zy', '住院楼二层', 2, [
      room('内科病房 201–208', 'clinical', [80, 80, 640, 300], ['s', 0.5]),
      room('内科护士站', 'staff', [720, 80, 300, 300], ['s', 0.5]),
      room('治疗室', 'clinical', [1020, 80, 220, 300], ['s', 0.5]),
      room('医生办公室', 'staff', [1240, 80, 280, 300], ['s', 0.5]),
      room('内科走廊', 'public', [80, 380, 1440, 120]),
      room('内科病房 209–216', 'clinical', [80, 500, 760, 320], ['n', 0.5]),
      room('活动室', 'public', [840, 500, 340, 320], ['n', 0.5]),
      room('电梯厅', 'public', [1180, 500, 340, 320], ['n', 0.5]),
    ]),
    floor('zy3', 'zy', '住院楼三层', 3, [
      room('外科病房 301–308', 'clinical', [80, 80, 560, 300], ['s', 0.5]),
      room('外科护士站', 'staff', [640, 80, 300, 300], ['s', 0.5]),
      room('重症监护室', 'clinical', [940, 80, 580, 300], ['s', 0.3]),
      room('外科走廊', 'public', [80, 380, 1440, 120]),
      room('手术室', 'clinical', [80, 500, 620, 320], ['n', 0.7]),
      room('麻醉恢复室', 'clinical', [700, 500, 480, 320], ['n', 0.5]),
      room('电梯厅', 'public', [1180, 500, 340, 320], ['n', 0.5]),
    ]),
  ],
};
