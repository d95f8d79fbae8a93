import { expect, it } from 'vitest';
import { readPlanPicture } from './plan-picture.ts';

function png(width: number, height: number): Buffer {
  const header = Buffer.alloc(33);
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]).copy(header);
  header.writeUInt32BE(13, 8);
  header.write('IHDR', 12, 'latin1');
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  return header;
}

function jpeg(width: number, height: number): Buffer {
  const comment = Buffer.from([0xff, 0xfe, 0x00, 0x06, 0xff, 0xc0, 0x00, 0x00]); // a comment that looks like a size
  const size = Buffer.from([
    0xff,
    0xc2,
    0x00,
    0x0b,
    8,
    height >> 8,
    height & 255,
    width >> 8,
    width & 255,
    1,
  ]);
  return Buffer.concat([Buffer.from([0xff, 0xd8]), comment, size, Buffer.from([1, 0x11, 0])]);
}

const svg = (attributes: string, before = '', after = '') =>
  Buffer.from(`${before}<svg xmlns="http://www.w3.org/2000/svg" ${attributes}><g/></svg>${after}`);

it('reads type and size from PNG, progressive JPEG and SVG headers', () => {
  expect(readPlanPicture(png(1600, 900))).toEqual({ mime: 'image/png', widthPx: 1600, heightPx: 900 });
  expect(readPlanPicture(jpeg(1024, 768))).toEqual({ mime: 'image/jpeg', widthPx: 1024, heightPx: 768 });
  const size = { mime: 'image/svg+xml', widthPx: 1600, heightPx: 900 };
  expect(readPlanPicture(svg('viewBox="0 0 1600 900" width="100%"'))).toEqual(size);
  expect(
    readPlanPicture(svg(`width='1600px' height='900'`, '\uFEFF<?xml version="1.0"?>\n<!-- 楼层 -->\n')),
  ).toEqual(size);
  expect(
    readPlanPicture(svg('viewBox="0,0,1600,900"', '<!DOCTYPE svg PUBLIC "a" "b">', '\n<!-- end -->\n')),
  ).toEqual(size);
});

it('refuses what is no picture, is cut off, has no size or hides entities', () => {
  expect(readPlanPicture(Buffer.alloc(0))).toBeUndefined();
  expect(readPlanPicture(Buffer.from('GIF89a plus enough bytes to be longer than a header'))).toBeUndefined();
  expect(readPlanPicture(Buffer.from('<html><svg viewBox="0 0 1 1"></svg></html>'))).toBeUndefined();
  expect(readPlanPicture(png(0, 900))).toBeUndefined();
  expect(readPlanPicture(png(2 ** 31, 900))).toBeUndefined();
  expect(readPlanPicture(jpeg(1024, 768).subarray(0, 12))).toBeUndefined();
  expect(readPlanPicture(svg('width="100%" height="100%"'))).toBeUndefined();
  expect(readPlanPicture(svg('viewBox="0 0 10 10"').subarray(0, -3))).toBeUndefined();
  expect(readPlanPicture(svg('viewBox="0 0 10 10"', '<!DOCTYPE svg [<!ENTITY a "b">]>'))).toBeUndefined();
});

it('answers at once for an SVG made to be slow to match', () => {
  const hostile = Buffer.from(`<svg viewBox="0 0 1 1"></svg>${'<!---->'.repeat(500)}x`);
  const startedAt = performance.now();
  expect(readPlanPicture(hostile)).toBeUndefined();
  expect(performance.now() - startedAt).toBeLessThan(200);
});
