/** What a floor plan may be. */
export type PlanMime = 'image/png' | 'image/jpeg' | 'image/svg+xml';
/** Type and size of a plan, read from its bytes and not from what the sender calls it. */
export interface PlanPicture {
  readonly mime: PlanMime;
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Above this a phone's browser no longer draws the picture. */
const maxSidePx = 20_000;
const svgHeadBytes = 65_536;

/**
 * Recognises a PNG, JPEG or SVG by its first bytes and reads its size from the header. SVG: the view box if there is one, else
 * `width` and `height` in px or without unit. SVGs with a document type that declares entities are refused.
 * @returns undefined for anything else, and for sizes that are not 1..20,000 px
 */
export function readPlanPicture(content: Buffer): PlanPicture | undefined {
  const picture = readPng(content) ?? readJpeg(content) ?? readSvg(content);
  if (!picture) return undefined;
  const widthPx = Math.round(picture.widthPx);
  const heightPx = Math.round(picture.heightPx);
  const isUsable = [widthPx, heightPx].every((side) => side >= 1 && side <= maxSidePx);
  return isUsable ? { mime: picture.mime, widthPx, heightPx } : undefined;
}

const pngStart = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Source: PNG (W3C), 11.2.1: IHDR is the first chunk, width and height its first 8 bytes. */
function readPng(content: Buffer): PlanPicture | undefined {
  if (content.length < 33 || !content.subarray(0, 8).equals(pngStart)) return undefined;
  if (content.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  return { mime: 'image/png', widthPx: content.readUInt32BE(16), heightPx: content.readUInt32BE(20) };
}

/** SOF markers hold the size; C4 (Huffman tables), C8 and CC (arithmetic) share their range and do not. */
const isSizeMarker = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** Source: ITU-T T.81, B.1.1.3 and B.2.2. Turned pictures (EXIF orientation) keep the size as stored. */
function readJpeg(content: Buffer): PlanPicture | undefined {
  if (content.length < 4 || content.readUInt16BE(0) !== 0xffd8) return undefined;
  let at = 2;
  while (at + 9 <= content.length) {
    if (content[at] !== 0xff) return undefined;
    const marker = content.readUInt8(at + 1);
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    if (isSizeMarker(marker))
      return {
        mime: 'image/jpeg',
        widthPx: content.readUInt16BE(at + 7),
        heightPx: content.readUInt16BE(at + 5),
      };
    if (marker === 0xda || marker === 0xd9) return undefined; // picture data before any size
    at += 2 + content.readUInt16BE(at + 2);
  }
  return undefined;
}

/** Source: SVG 2, 8.2 and 8.6. */
function readSvg(content: Buffer): PlanPicture | undefined {
  const head = content.toString('utf8', 0, svgHeadBytes).replace(/^\uFEFF/, '');
  if (/<!ENTITY/i.test(head)) return undefined;
  const prolog = /^\s*(?:<\?[^>]*\?>\s*|<!--[^]*?-->\s*|<!DOCTYPE[^>[]*>\s*)*/.exec(head);
  const root = /^<svg(?=[\s>])((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*\/?>/.exec(
    head.slice(prolog?.[0].length ?? 0),
  );
  const tail = content.toString('utf8', Math.max(0, content.length - 4096)).replace(/<!--[^]*?-->/g, '');
  if (!root || !/<\/svg\s*>$/.test(tail.trimEnd())) return undefined; // cut off on its way
  const attribute = (name: string) =>
    new RegExp(`\\s${name}\\s*=\\s*["']([^"']*)["']`).exec(root[1] ?? '')?.[1]?.trim();
  const box = attribute('viewBox')
    ?.split(/[\s,]+/)
    .map(Number);
  if (box?.length === 4 && box.every(Number.isFinite))
    return { mime: 'image/svg+xml', widthPx: box[2] ?? 0, heightPx: box[3] ?? 0 };
  const length = (text: string | undefined) =>
    text !== undefined && /^\d+(?:\.\d+)?(?:px)?$/.test(text) ? Number.parseFloat(text) : undefined;
  const widthPx = length(attribute('width'));
  const heightPx = length(attribute('height'));
  if (widthPx === undefined || heightPx === undefined) return undefined;
  return { mime: 'image/svg+xml', widthPx, heightPx };
}
