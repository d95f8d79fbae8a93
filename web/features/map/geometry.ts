/** Whether a point lies inside a polygon, by counting the edges a ray from it crosses. */
export function isInside(outline: readonly { x: number; y: number }[], x: number, y: number): boolean {
  let inside = false;
  for (const [at, a] of outline.entries()) {
    const b = outline[(at + 1) % outline.length];
    if (b && a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}
