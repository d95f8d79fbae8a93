/** Small grey pictures of one file of footage, in time order; a picture is undefined where its key frame does not decode. */
export type GreyFile = readonly { readonly at: number; readonly picture: Uint8Array | undefined }[];

const MAGIC = 0x47524559; // GREY
const HEAD_BYTES = 12;
const TIME_BYTES = 9;

/** One buffer for the cache: magic, width, height, count; then time and "is there" of each; then the pictures that are there. */
export function packGrey(pictures: GreyFile, size: { width: number; height: number }): Buffer {
  const present = pictures.flatMap((each) => (each.picture ? [each.picture] : []));
  const head = Buffer.alloc(HEAD_BYTES + pictures.length * TIME_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt16BE(size.width, 4);
  head.writeUInt16BE(size.height, 6);
  head.writeUInt32BE(pictures.length, 8);
  for (const [index, { at, picture }] of pictures.entries()) {
    head.writeDoubleBE(at, HEAD_BYTES + index * TIME_BYTES);
    head.writeUInt8(picture ? 1 : 0, HEAD_BYTES + index * TIME_BYTES + 8);
  }
  return Buffer.concat([head, ...present]);
}

/** undefined for anything {@link packGrey} did not write for this size, as a file that a power cut left torn. */
export function unpackGrey(data: Buffer, size: { width: number; height: number }): GreyFile | undefined {
  if (data.length < HEAD_BYTES || data.readUInt32BE(0) !== MAGIC) return undefined;
  if (data.readUInt16BE(4) !== size.width || data.readUInt16BE(6) !== size.height) return undefined;
  const count = data.readUInt32BE(8);
  const pictureBytes = size.width * size.height;
  let at = HEAD_BYTES + count * TIME_BYTES;
  if (at > data.length) return undefined;
  const found: { at: number; picture: Uint8Array | undefined }[] = [];
  for (let index = 0; index < count; index += 1) {
    const head = HEAD_BYTES + index * TIME_BYTES;
    const isThere = data.readUInt8(head + 8) === 1;
    if (isThere && at + pictureBytes > data.length) return undefined;
    found.push({
      at: data.readDoubleBE(head),
      picture: isThere ? data.subarray(at, at + pictureBytes) : undefined,
    });
    if (isThere) at += pictureBytes;
  }
  return at === data.length ? found : undefined;
}
