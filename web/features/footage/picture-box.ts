/**
 * Where a picture of `picture` lies in a frame of `frame` that shows all of it: left, top, width and height in shares of the frame. A picture that is not
 * known yet fills the frame.
 */
export function pictureBox(
  frame: { width: number; height: number },
  picture: { width: number; height: number },
): { left: number; top: number; width: number; height: number } {
  if (picture.width <= 0 || picture.height <= 0 || frame.width <= 0 || frame.height <= 0)
    return { left: 0, top: 0, width: 1, height: 1 };
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  const width = (picture.width * scale) / frame.width;
  const height = (picture.height * scale) / frame.height;
  return { left: (1 - width) / 2, top: (1 - height) / 2, width, height };
}
