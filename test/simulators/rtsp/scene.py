"""Backgrounds of the simulated cameras: places of a hospital in one-point perspective, drawn once with cairo.

Every drawing works on a 16 x 9 canvas and is scaled to the picture, so that main and sub stream show the same place.
"""

import math
import random

import cairo
import numpy as np

FONT = "WenQuanYi Zen Hei"

# wall, floor, accent, ceiling as RGB 0..1: one look per kind of place
PALETTES = {
    "hall": ((0.86, 0.89, 0.90), (0.66, 0.68, 0.67), (0.13, 0.45, 0.62), (0.95, 0.96, 0.96)),
    "desk": ((0.90, 0.88, 0.82), (0.62, 0.60, 0.56), (0.10, 0.42, 0.45), (0.96, 0.95, 0.92)),
    "pharmacy": ((0.85, 0.91, 0.87), (0.63, 0.66, 0.62), (0.12, 0.52, 0.32), (0.95, 0.97, 0.95)),
    "store": ((0.74, 0.74, 0.70), (0.50, 0.49, 0.46), (0.78, 0.52, 0.16), (0.80, 0.80, 0.77)),
    "lab": ((0.88, 0.90, 0.94), (0.60, 0.64, 0.68), (0.32, 0.36, 0.62), (0.96, 0.97, 0.98)),
    "lift": ((0.82, 0.80, 0.76), (0.52, 0.47, 0.42), (0.55, 0.56, 0.58), (0.93, 0.92, 0.90)),
    "station": ((0.92, 0.88, 0.88), (0.68, 0.64, 0.60), (0.72, 0.36, 0.44), (0.97, 0.95, 0.95)),
    "corridor": ((0.87, 0.90, 0.86), (0.58, 0.62, 0.58), (0.30, 0.52, 0.48), (0.95, 0.96, 0.94)),
    "parking": ((0.60, 0.70, 0.80), (0.36, 0.37, 0.38), (0.90, 0.88, 0.80), (0.78, 0.86, 0.93)),
}


def shade(rgb, factor):
    return tuple(max(0.0, min(1.0, c * factor)) for c in rgb)


class Drawing:
    """A cairo canvas with the vanishing point and the helpers that the places share."""

    def __init__(self, width, height, kind, seed):
        self.rng = random.Random(seed)
        self.wall, self.floor, self.accent, self.ceiling = PALETTES[kind]
        tint = [1 + self.rng.uniform(-0.06, 0.06) for _ in range(3)]
        self.wall = tuple(min(1.0, c * t) for c, t in zip(self.wall, tint))
        self.surface = cairo.ImageSurface(cairo.FORMAT_RGB24, width, height)
        self.cr = cairo.Context(self.surface)
        self.cr.scale(width / 16, height / 9)
        self.vx, self.vy = 8 + self.rng.uniform(-1.6, 1.6), 3.3 + self.rng.uniform(-0.4, 0.4)

    def poly(self, points, rgb):
        self.cr.set_source_rgb(*rgb)
        self.cr.move_to(*points[0])
        for p in points[1:]:
            self.cr.line_to(*p)
        self.cr.close_path()
        self.cr.fill()

    def rect(self, x, y, w, h, rgb):
        self.cr.set_source_rgb(*rgb)
        self.cr.rectangle(x, y, w, h)
        self.cr.fill()

    def text(self, x, y, size, words, rgb=(1, 1, 1)):
        self.cr.select_font_face(FONT)
        self.cr.set_font_size(size)
        self.cr.set_source_rgb(*rgb)
        width = self.cr.text_extents(words).x_advance
        self.cr.move_to(x - width / 2, y)
        self.cr.show_text(words)

    def deep(self, x, y, t):
        """The point (x, y) of the picture's edge moved towards the vanishing point by t (0 near, 1 infinitely far)."""
        return (x + (self.vx - x) * t, y + (self.vy - y) * t)

    def room(self, back=0.72):
        """Walls, floor with tiles, ceiling with lights; `back` is how far away the end wall stands."""
        corners = [(0, 0), (16, 0), (16, 9), (0, 9)]
        far = [self.deep(x, y, back) for x, y in corners]
        self.poly([corners[0], corners[1], far[1], far[0]], self.ceiling)
        self.poly([corners[3], corners[2], far[2], far[3]], self.floor)
        self.poly([corners[0], corners[3], far[3], far[0]], shade(self.wall, 0.93))
        self.poly([corners[1], corners[2], far[2], far[1]], shade(self.wall, 0.86))
        self.poly(far, self.wall)
        self.cr.set_line_width(0.025)
        self.cr.set_source_rgb(*shade(self.floor, 0.86))
        for i in range(-6, 23, 2):
            self.cr.move_to(*self.deep(i, 9, 0.0))
            self.cr.line_to(*self.deep(i, 9, back))
        for i in range(1, 9):
            t = back * i / 9
            self.cr.move_to(*self.deep(0, 9, t))
            self.cr.line_to(*self.deep(16, 9, t))
        self.cr.stroke()
        for t in (0.15, 0.36, 0.52, 0.63):
            a, b, c, d = (self.deep(x, 0, s) for x, s in ((5.4, t), (10.6, t), (10.6, t + 0.06), (5.4, t + 0.06)))
            self.poly([a, b, c, d], (1, 1, 0.97))
        for side in (0, 16):  # the guard rail and skirting that every hospital corridor has
            for y, h, f in ((5.9, 0.22, 0.8), (8.75, 0.2, 0.55)):
                self.poly([(side, y), (side, y + h), self.deep(side, y + h, back), self.deep(side, y, back)], shade(self.accent, f + 0.35))
        return far

    def door(self, side, t, width, words):
        x = 0 if side == "left" else 16
        a, b = self.deep(x, 2.6, t), self.deep(x, 2.6, t + width)
        c, d = self.deep(x, 8.9, t + width), self.deep(x, 8.9, t)
        self.poly([a, b, c, d], shade(self.accent, 0.95))
        inner = [((p[0] * 3 + q[0]) / 4, p[1] * 0.86 + q[1] * 0.14) for p, q in ((a, d), (b, c))]
        low = [((p[0] * 3 + q[0]) / 4, p[1] * 0.6 + q[1] * 0.4) for p, q in ((b, c), (a, d))]
        self.poly([*inner, *low], shade(self.wall, 1.05))
        self.text((a[0] + b[0]) / 2, min(a[1], b[1]) - 0.08, 0.42 * (1 - t), words, shade(self.accent, 0.7))

    def bench(self, x, t, seats):
        scale = 1 - t
        px, py = self.deep(x, 8.2, t)
        for i in range(seats):
            sx = px + i * 1.02 * scale
            self.rect(sx, py - 1.0 * scale, 0.92 * scale, 0.62 * scale, shade(self.accent, 1.1))
            self.rect(sx, py - 0.34 * scale, 0.92 * scale, 0.2 * scale, shade(self.accent, 0.75))
            self.rect(sx + 0.1 * scale, py - 0.14 * scale, 0.08 * scale, 0.5 * scale, (0.35, 0.35, 0.36))

    def sign(self, far, words, size=0.5):
        cx, y = (far[0][0] + far[1][0]) / 2, far[0][1]
        width = len(words) * size + 0.5
        self.rect(cx - width / 2, y + 0.06, width, size + 0.24, shade(self.accent, 0.8))
        self.text(cx, y + size + 0.04, size, words)


def windows(d, far, count, words):
    """Service windows on the end wall with a counter before them (registration, pharmacy)."""
    x0, x1, y0, y1 = far[0][0], far[1][0], far[0][1], far[2][1]
    step, height = (x1 - x0) / count, y1 - y0
    for i in range(count):
        x = x0 + i * step
        d.rect(x + step * 0.1, y0 + height * 0.36, step * 0.8, height * 0.3, (0.55, 0.72, 0.78))
        d.rect(x + step * 0.1, y0 + height * 0.26, step * 0.8, height * 0.08, (0.75, 0.15, 0.12))
        d.text(x + step * 0.5, y0 + height * 0.33, height * 0.07, f"{words}{i + 1}", (1, 0.9, 0.6))
    d.rect(x0, y0 + height * 0.66, x1 - x0, height * 0.1, shade(d.floor, 1.35))
    d.rect(x0, y0 + height * 0.76, x1 - x0, height * 0.24, shade(d.accent, 0.9))


def shelves(d, side):
    x = 0 if side == "left" else 16
    for t in (0.0, 0.22, 0.4, 0.53):
        a, b = d.deep(x, 2.2, t), d.deep(x, 2.2, t + 0.1)
        c, e = d.deep(x, 8.8, t + 0.1), d.deep(x, 8.8, t)
        inward = (2.2 if side == "left" else -2.2) * (1 - t)
        d.poly([b, c, (c[0] + inward, c[1]), (b[0] + inward, b[1])], (0.42, 0.44, 0.47))
        d.poly([a, b, c, e], (0.34, 0.36, 0.4))
        for row in range(4):
            y = b[1] + (c[1] - b[1]) * (row + 0.25) / 4.3
            h = (c[1] - b[1]) / 6
            for col in range(4):
                rgb = d.rng.choice([(0.78, 0.62, 0.42), (0.85, 0.85, 0.8), (0.55, 0.68, 0.78), (0.72, 0.5, 0.36)])
                d.rect(b[0] + inward * (col + 0.1) / 4, y, inward * 0.8 / 4, h, rgb)


def parking(d, words):
    d.rect(0, 0, 16, 4, d.ceiling)
    d.poly([(0, 3.2), (16, 2.9), (16, 4.2), (0, 4.2)], (0.32, 0.44, 0.30))
    d.rect(0.8, 0.7, 4.6, 3.0, (0.80, 0.80, 0.78))
    for i in range(5):
        for j in range(3):
            d.rect(1.1 + i * 0.85, 1.0 + j * 0.9, 0.5, 0.5, (0.36, 0.48, 0.58))
    d.rect(0, 4, 16, 5, d.floor)
    for row, (y, h) in enumerate(((4.5, 1.1), (6.6, 2.0))):
        d.cr.set_source_rgb(0.88, 0.88, 0.84)
        d.cr.set_line_width(0.07)
        for i in range(9):
            lean = (i - 4) * (0.12 + 0.2 * row)
            d.cr.move_to(i * 2 - lean, y)
            d.cr.line_to(i * 2 + lean, y + h)
        d.cr.stroke()
        for i in range(8):
            if d.rng.random() < 0.62:
                x, w = i * 2 + 0.35, 1.25
                rgb = d.rng.choice([(0.86, 0.87, 0.88), (0.16, 0.17, 0.2), (0.55, 0.1, 0.1), (0.2, 0.3, 0.5), (0.6, 0.6, 0.6)])
                d.rect(x, y + h * 0.3, w, h * 0.5, rgb)
                d.rect(x + 0.15, y + h * 0.05, w - 0.3, h * 0.32, shade(rgb, 0.6))
                d.rect(x + 0.05, y + h * 0.72, 0.28, h * 0.14, (0.08, 0.08, 0.08))
                d.rect(x + w - 0.33, y + h * 0.72, 0.28, h * 0.14, (0.08, 0.08, 0.08))
    d.rect(11.6, 1.4, 3.2, 0.9, (0.10, 0.30, 0.60))
    d.text(13.2, 2.02, 0.6, words)
    d.rect(13.1, 2.3, 0.16, 2.0, (0.4, 0.4, 0.42))


def furnish(d, kind, words):
    far = d.room(0.58 if kind in ("desk", "pharmacy", "lift", "station") else 0.74)
    x0, x1, y0, y1 = far[0][0], far[1][0], far[0][1], far[2][1]
    if kind in ("desk", "pharmacy"):
        windows(d, far, 4, "窗口" if kind == "desk" else "取药")
        d.bench(1.2, 0.12, 4)
        d.bench(10.8, 0.12, 4)
    elif kind == "store":
        shelves(d, "left")
        shelves(d, "right")
    elif kind == "lift":
        for i in range(3):
            x, w = x0 + (x1 - x0) * (0.06 + i * 0.33), (x1 - x0) * 0.22
            d.rect(x, y0 + (y1 - y0) * 0.3, w, (y1 - y0) * 0.7, (0.66, 0.67, 0.7))
            d.rect(x + w * 0.48, y0 + (y1 - y0) * 0.3, w * 0.04, (y1 - y0) * 0.7, (0.4, 0.4, 0.42))
            d.text(x + w / 2, y0 + (y1 - y0) * 0.27, 0.36, str(1 + i * 2), (0.8, 0.2, 0.1))
    elif kind == "station":
        d.poly([(3.0, 7.6), (13, 7.6), (11.6, 5.6), (4.6, 5.6)], shade(d.wall, 1.05))
        d.rect(3.0, 7.6, 10, 1.4, shade(d.accent, 0.95))
        for x in (5.0, 7.4, 9.8):
            d.rect(x, 5.0, 1.2, 0.8, (0.12, 0.14, 0.17))
            d.rect(x + 0.08, 5.07, 1.04, 0.64, (0.35, 0.5, 0.62))
        d.door("left", 0.2, 0.14, "治疗室")
    elif kind == "lab":
        for x, w in ((0.4, 4.2), (11.4, 4.2)):
            d.rect(x, 6.2, w, 0.3, (0.93, 0.94, 0.95))
            d.rect(x, 6.5, w, 2.2, shade(d.accent, 1.2))
            for i in range(3):
                d.rect(x + 0.3 + i * 1.3, 5.3, 0.9, 0.9, d.rng.choice([(0.8, 0.82, 0.84), (0.3, 0.33, 0.4), (0.62, 0.7, 0.78)]))
        d.door("right", 0.3, 0.12, "冷藏室")
    elif kind == "hall":
        d.bench(1.0, 0.1, 4)
        d.bench(3.2, 0.36, 4)
        d.bench(10.4, 0.1, 4)
        d.rect(x0 + (x1 - x0) * 0.25, y0 + (y1 - y0) * 0.35, (x1 - x0) * 0.5, (y1 - y0) * 0.65, (0.62, 0.78, 0.84))
        d.door("right", 0.42, 0.1, "抢救室")
    else:
        for i, t in enumerate((0.1, 0.38, 0.56)):
            d.door("left", t, 0.11, f"{d.rng.randint(1, 3)}{i + 1}0病房")
            d.door("right", t + 0.05, 0.1, ("处置室", "值班室", "库房")[i])
    d.sign(far, words, 0.5 if kind in ("desk", "pharmacy", "lift", "station") else 0.3)


def background(width, height, kind, seed, words):
    """The place as an RGB array (height, width, 3) of uint8."""
    d = Drawing(width, height, kind, seed)
    if kind == "parking":
        parking(d, words)
    else:
        furnish(d, kind, words)
    # A lens darkens towards its corners.
    glow = cairo.RadialGradient(8, 4.5, 3, 8, 4.5, math.hypot(8, 4.5))
    glow.add_color_stop_rgba(0, 0, 0, 0, 0)
    glow.add_color_stop_rgba(1, 0, 0, 0, 0.35)
    d.cr.set_source(glow)
    d.cr.paint()
    d.surface.flush()
    pixels = np.ndarray((height, d.surface.get_stride() // 4, 4), np.uint8, d.surface.get_data())
    return pixels[:, :width, 2::-1].copy()
