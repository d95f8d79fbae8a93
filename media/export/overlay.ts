/** A rectangle of the picture as shares of its width and height, 0..1, from the upper left corner. */
export interface PictureRegion {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One picture of a clip: when the clip shows it, and what stands on it then. */
export interface CaptionedFrame {
  /** From the clip's start. */
  shownMs: number;
  text: string;
}

/** The font that set-up installs (fonts-wqy-zenhei): it has every Chinese character in use. */
const FONT = 'WenQuanYi Zen Hei';
/** A hidden region keeps at most so many blocks on its longer side: too few to make a face of, whatever is done to them afterwards. */
const BLOCKS = 8;
const LEAST_REGION_PX = 8;

/**
 * A subtitle track (ASS) that puts each picture's own text at the lower left, in white on a dark box. `caption` stands below it on every picture.
 * Times of the format are hundredths of a second, so pictures must be more than 10 ms apart to be told from each other.
 * Source: libass, ass.c (events are shown from Start until before End).
 */
export function captionTrack(
  frames: readonly CaptionedFrame[],
  caption: string,
  picture: { width: number; height: number; endMs: number },
): string {
  const { width, height, endMs } = picture;
  const sizePx = Math.max(8, Math.round(Math.min(height / 22, width / 30)));
  const marginPx = Math.max(2, Math.round(height / 50));
  const head = [
    '[Script Info]',
    'ScriptType: v4.00+',
    'WrapStyle: 0',
    `PlayResX: ${width}`,
    `PlayResY: ${height}`,
    '[V4+ Styles]',
    'Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding',
    `Style: Stamp,${FONT},${sizePx},&H00FFFFFF,&H50000000,&H50000000,0,3,${Math.ceil(sizePx / 6)},0,1,${marginPx},${marginPx},${marginPx},1`,
    '[Events]',
    'Format: Layer, Start, End, Style, Text',
  ];
  const below = plainText(caption);
  const lines = frames.map(({ shownMs, text }, index) => {
    const next = frames[index + 1];
    const untilMs = next?.shownMs ?? Math.max(endMs, shownMs + 1_000);
    return `Dialogue: 0,${stamp(shownMs)},${stamp(untilMs)},Stamp,${plainText(text)}\\N${below}`;
  });
  return `${[...head, ...lines].join('\n')}\n`;
}

/**
 * Text from people and cameras as ASS shows it: what would be an order to the renderer (braces, backslash) becomes its full-width likeness,
 * control and direction characters go.
 */
export function plainText(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll('\\', '＼')
    .replaceAll('{', '｛')
    .replaceAll('}', '｝')
    .slice(0, 200)
    .trim();
}

function stamp(ms: number): string {
  const hundredths = Math.max(0, Math.floor(ms / 10));
  const part = (value: number) => String(value).padStart(2, '0');
  const seconds = Math.floor(hundredths / 100);
  return `${Math.floor(seconds / 3600)}:${part(Math.floor(seconds / 60) % 60)}:${part(seconds % 60)}.${part(hundredths % 100)}`;
}

/**
 * The part of a filter graph that makes regions unrecognisable: each is reduced to a few blocks and enlarged again, so that what was there is
 * not in the file any more. Takes `[in]`, gives `[out]`, for labels handed in without brackets.
 */
export function hideRegions(
  regions: readonly PictureRegion[],
  picture: { width: number; height: number },
  labels: { from: string; to: string },
): string {
  if (regions.length === 0) return `[${labels.from}]null[${labels.to}]`;
  return regions
    .map((region, index) => {
      const { x, y, width, height } = toPixels(region, picture);
      const from = index === 0 ? labels.from : `hidden${index}`;
      const to = index === regions.length - 1 ? labels.to : `hidden${index + 1}`;
      const block = Math.max(width, height) / BLOCKS;
      const small = [width, height].map((size) => Math.max(1, Math.round(size / block)));
      return (
        `[${from}]split[whole${index}][part${index}];` +
        `[part${index}]crop=${width}:${height}:${x}:${y},scale=${small.join(':')}:flags=area,scale=${width}:${height}:flags=bilinear[mask${index}];` +
        `[whole${index}][mask${index}]overlay=${x}:${y}[${to}]`
      );
    })
    .join(';');
}

/** Outward to even pixels, inside the picture: colours are kept for every second pixel only. */
function toPixels(region: PictureRegion, picture: { width: number; height: number }): PictureRegion {
  const along = (start: number, length: number, sizePx: number) => {
    const first = Math.max(0, Math.min(Math.floor((start * sizePx) / 2) * 2, sizePx - LEAST_REGION_PX));
    const end = Math.min(
      sizePx,
      Math.max(first + LEAST_REGION_PX, Math.ceil(((start + length) * sizePx) / 2) * 2),
    );
    return [first, Math.floor((end - first) / 2) * 2] as const;
  };
  const [x, width] = along(region.x, region.width, picture.width);
  const [y, height] = along(region.y, region.height, picture.height);
  return { x, y, width, height };
}

/** A value inside a filter graph: escaped for the filter's own list of options, then for the graph. Source: ffmpeg-filters, "Notes on filtergraph escaping". */
export function filterValue(text: string): string {
  return text.replace(/[\\':]/g, String.raw`\$&`).replace(/[\\'[\],;]/g, String.raw`\$&`);
}
