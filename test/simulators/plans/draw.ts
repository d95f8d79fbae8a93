import { readFileSync, writeFileSync } from 'node:fs';
import { world, type Floor, type Room } from '../world.ts';
import { escapeXml } from '../xml.ts';

// Middle tones on a transparent ground: readable on the console's dark theme and on its light one.
const INK = '#6b7c93';
const FILL: Readonly<Record<Room['kind'], string>> = {
  public: 'rgba(148,163,184,0.10)',
  clinical: 'rgba(45,170,150,0.14)',
  staff: 'rgba(80,140,230,0.13)',
  plant: 'rgba(230,150,50,0.14)',
  outdoor: 'rgba(110,170,90,0.14)',
};
const OUTER_WALL = 9;
const INNER_WALL = 4;
const DOOR = 56;
const FONT = "'WenQuanYi Zen Hei','Noto Sans CJK SC','Microsoft YaHei',sans-serif";

interface Wall {
  axis: 'h' | 'v';
  /** y of a horizontal wall, x of a vertical one. */
  at: number;
  from: number;
  to: number;
}

function sides({ x, y, width, height }: Room): Record<'n' | 'e' | 's' | 'w', Wall> {
  return {
    n: { axis: 'h', at: y, from: x, to: x + width },
    s: { axis: 'h', at: y + height, from: x, to: x + width },
    w: { axis: 'v', at: x, from: y, to: y + height },
    e: { axis: 'v', at: x + width, from: y, to: y + height },
  };
}

const sameLine = (a: Wall, b: Wall): boolean => a.axis === b.axis && a.at === b.at;

/** `wall` without what `hole` takes out of it. */
function cut(wall: Wall, hole: Wall): Wall[] {
  if (!sameLine(wall, hole) || hole.to <= wall.from || hole.from >= wall.to) return [wall];
  return [
    { ...wall, to: hole.from },
    { ...wall, from: hole.to },
  ].filter((w) => w.to - w.from > 0.5);
}

/** Where two public rooms meet there is no wall: corridors open into halls. */
function openings(rooms: readonly Room[]): Wall[] {
  const found: Wall[] = [];
  for (const a of rooms) {
    for (const b of rooms) {
      if (a === b || a.kind !== 'public' || b.kind !== 'public') continue;
      for (const x of Object.values(sides(a))) {
        for (const y of Object.values(sides(b))) {
          const [from, to] = [Math.max(x.from, y.from), Math.min(x.to, y.to)];
          if (sameLine(x, y) && to - from > DOOR) found.push({ ...x, from: from + 12, to: to - 12 });
        }
      }
    }
  }
  return found;
}

function doorOf(room: Room): Wall | undefined {
  if (!room.door) return undefined;
  const side = sides(room)[room.door.side];
  const middle = side.from + (side.to - side.from) * room.door.at;
  return { ...side, from: middle - DOOR / 2, to: middle + DOOR / 2 };
}

/** Leaf and swing of a door that opens into its room. */
function doorSymbol(room: Room, gap: Wall): string {
  const inward = room.door!.side === 'n' || room.door!.side === 'w' ? 1 : -1;
  const [x0, y0] = gap.axis === 'h' ? [gap.from, gap.at] : [gap.at, gap.from];
  const [x1, y1] = gap.axis === 'h' ? [gap.to, gap.at] : [gap.at, gap.to];
  const [lx, ly] = gap.axis === 'h' ? [x0, y0 + inward * DOOR] : [x0 + inward * DOOR, y0];
  const sweep = (gap.axis === 'h') === inward > 0 ? 0 : 1;
  return `<path d="M${x0} ${y0}L${lx} ${ly}A${DOOR} ${DOOR} 0 0 ${sweep} ${x1} ${y1}" fill="none" stroke="${INK}" stroke-width="1.5" opacity="0.8"/>`;
}

function lifts({ x, y, width, height }: Room): string {
  const size = 54;
  return [0, 1, 2]
    .map((i) => {
      const [lx, ly] = [x + width - (i + 1) * (size + 14), y + height - size - 14];
      return `<g stroke="${INK}" stroke-width="2" fill="none"><rect x="${lx}" y="${ly}" width="${size}" height="${size}"/><path d="M${lx} ${ly}l${size} ${size}M${lx + size} ${ly}l${-size} ${size}"/></g>`;
    })
    .join('');
}

function bays({ x, y, width, height }: Room): string {
  const lines: string[] = [];
  for (let at = x + 40; at <= x + width - 40; at += 54) {
    lines.push(`M${at} ${y + 14}v80`, `M${at} ${y + height - 94}v80`);
  }
  return `<path d="${lines.join('')}" stroke="${INK}" stroke-width="2" opacity="0.7"/>`;
}

function label(room: Room): string {
  const long = [...room.name].length;
  const size = Math.min(28, Math.max(18, (room.width - 24) / long));
  const y = room.y + room.height / 2 + size * 0.35;
  return `<text x="${room.x + room.width / 2}" y="${y}" font-size="${size.toFixed(0)}" text-anchor="middle">${escapeXml(room.name)}</text>`;
}

function wallLine(wall: Wall, floor: Floor): string {
  const xs = floor.rooms.flatMap((r) => [r.x, r.x + r.width]);
  const ys = floor.rooms.flatMap((r) => [r.y, r.y + r.height]);
  const edges = wall.axis === 'h' ? ys : xs;
  const isOuter = floor.buildingId !== null && [Math.min(...edges), Math.max(...edges)].includes(wall.at);
  const [x0, y0] = wall.axis === 'h' ? [wall.from, wall.at] : [wall.at, wall.from];
  const end = wall.axis === 'h' ? `h${wall.to - wall.from}` : `v${wall.to - wall.from}`;
  return `<path d="M${x0} ${y0}${end}" stroke-width="${isOuter ? OUTER_WALL : INNER_WALL}"/>`;
}

/** The floor's plan as SVG: rooms, walls with doors, names, a scale and a north arrow. Transparent ground. */
export function drawPlan(floor: Floor): string {
  const open = openings(floor.rooms);
  const inOpen = (gap: Wall): boolean =>
    open.some((o) => sameLine(o, gap) && o.from <= gap.from && gap.to <= o.to);
  const doors = floor.rooms.flatMap((room) => {
    const gap = doorOf(room);
    return gap && !inOpen(gap) ? [{ room, gap }] : [];
  });
  const holes = [...open, ...doors.map(({ gap }) => gap)];
  let walls = floor.rooms.filter((r) => r.kind !== 'outdoor').flatMap((room) => Object.values(sides(room)));
  for (const hole of holes) walls = walls.flatMap((wall) => cut(wall, hole));
  const lines = [...new Set(walls.map((wall) => wallLine(wall, floor)))];
  const barPx = (floor.buildingId === null ? 25 : 10) / floor.metresPerPx;
  const building = world.buildings.find((b) => b.id === floor.buildingId);
  const title = `${world.site.name} ${building ? floor.name : '院区总平面'}`;
  const parts = [
    ...floor.rooms.map(
      (r) =>
        `<rect x="${r.x}" y="${r.y}" width="${r.width}" height="${r.height}" fill="${FILL[r.kind]}"${r.kind === 'outdoor' ? ` stroke="${INK}" stroke-dasharray="10 8"` : ''}/>`,
    ),
    `<g stroke="${INK}" stroke-linecap="square" fill="none">${lines.join('')}</g>`,
    ...doors.map(({ room, gap }) => doorSymbol(room, gap)),
    ...floor.rooms.filter((r) => r.name === '电梯厅').map(lifts),
    ...floor.rooms.filter((r) => r.name === '停车场').map(bays),
    `<g fill="${INK}" font-family="${FONT}" font-weight="600">${floor.rooms.map(label).join('')}</g>`,
    `<g fill="${INK}" font-family="${FONT}" font-size="22"><text x="80" y="52" font-size="26" font-weight="600">${escapeXml(title)}</text><text x="${1520 - barPx / 2}" y="856" text-anchor="middle">${floor.buildingId === null ? 25 : 10} m</text></g>`,
    `<path d="M${1520 - barPx} 866v8h${barPx}v-8" stroke="${INK}" stroke-width="3" fill="none"/>`,
    `<g stroke="${INK}" fill="${INK}"><path d="M1500 20l-12 34 12-8 12 8z"/><text x="1524" y="48" font-size="22" stroke="none" font-family="${FONT}">N</text></g>`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${floor.widthPx} ${floor.heightPx}" width="${floor.widthPx}" height="${floor.heightPx}" role="img" aria-label="${escapeXml(title)}">\n${parts.filter(Boolean).join('\n')}\n</svg>\n`;
}

/** The committed SVG of a floor. */
export function readPlan(floor: Floor): string {
  return readFileSync(new URL(floor.plan, import.meta.url), 'utf8');
}

if (import.meta.main) {
  for (const floor of world.floors) writeFileSync(new URL(floor.plan, import.meta.url), drawPlan(floor));
}
