const most = 8;

/** Which part of a picture is enlarged. `x` and `y` move it, in shares of the frame; the picture always fills its frame. */
export class DigitalZoom {
  scale = $state(1);
  x = $state(0);
  y = $state(0);

  get isOn(): boolean {
    return this.scale > 1;
  }
  get transform(): string {
    return `translate(${this.x * 100}%, ${this.y * 100}%) scale(${this.scale})`;
  }

  /** Enlarges by `factor` around a point of the frame (shares from its top left), which keeps its place. */
  by(factor: number, around = { x: 0.5, y: 0.5 }): void {
    const next = Math.min(most, Math.max(1, this.scale * factor));
    const change = next / this.scale;
    // The transform's origin is the middle of the frame.
    const [fromX, fromY] = [around.x - 0.5, around.y - 0.5];
    this.scale = next;
    this.#moveTo(fromX - (fromX - this.x) * change, fromY - (fromY - this.y) * change);
  }
  moveBy(x: number, y: number): void {
    this.#moveTo(this.x + x, this.y + y);
  }
  reset(): void {
    this.scale = 1;
    this.#moveTo(0, 0);
  }

  #moveTo(x: number, y: number): void {
    const room = (this.scale - 1) / 2;
    this.x = Math.min(room, Math.max(-room, x));
    this.y = Math.min(room, Math.max(-room, y));
  }
}
