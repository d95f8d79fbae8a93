"""The moving pictures of one camera: a place, people walking in it, the text overlay and the frame stamp.

Frames are composed in I420 by numpy, so that one costs a few copies and not a redraw. The frame stamp is a row of
40 blocks along the picture's bottom edge, each width/40 wide and height/30 high, most significant bit first:
`1 0` (sync), 24 bits frame counter, 8 bits camera number, 6 bits check = XOR of the six 6-bit groups of the 32 bits
padded with 0b1010 (see test/simulators/frame-stamp.ts, its reader).
"""

import random
import time

import cairo
import numpy as np

import scene

SITE_OFFSET_S = 8 * 3600  # Asia/Shanghai has had no daylight saving since 1991
BLACK, WHITE = 22, 224
WEEKDAYS = "一二三四五六日"
STEP_S = 0.9  # seconds of one walking step


def check_bits(word32):
    padded = (word32 << 4) | 0b1010
    check = 0
    for shift in range(0, 36, 6):
        check ^= (padded >> shift) & 0b111111
    return check


def stamp_bits(frame, number):
    word = ((frame & 0xFFFFFF) << 8) | (number & 0xFF)
    bits = (0b10 << 38) | (word << 6) | check_bits(word)
    return [(bits >> (39 - i)) & 1 for i in range(40)]


def to_i420(rgb):
    """BT.601 limited range, chroma averaged over 2 x 2 pixels."""
    f = rgb.astype(np.float32)
    r, g, b = f[..., 0], f[..., 1], f[..., 2]
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    half = lambda p: p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean(axis=(1, 3))
    return tuple(np.clip(p, 18, 235).astype(np.uint8) for p in (y, half(u), half(v)))


def text_luma(words, size, pad=0):
    """`words` as an even-sized luma array, light on dark."""
    probe = cairo.Context(cairo.ImageSurface(cairo.FORMAT_A8, 8, 8))
    probe.select_font_face(scene.FONT)
    probe.set_font_size(size)
    width = int(probe.text_extents(words).x_advance + 2 * pad + 1) // 2 * 2
    height = int(size * 1.4) // 2 * 2
    surface = cairo.ImageSurface(cairo.FORMAT_A8, width, height)
    cr = cairo.Context(surface)
    cr.select_font_face(scene.FONT)
    cr.set_font_size(size)
    cr.move_to(pad, size * 1.08)
    cr.show_text(words)
    surface.flush()
    alpha = np.ndarray((height, surface.get_stride()), np.uint8, surface.get_data())[:, :width]
    return (30 + alpha.astype(np.uint16) * 205 // 255).astype(np.uint8)


def blurred(plane, radius):
    """Three passes of a box filter in both directions: close to a gaussian."""
    f = plane.astype(np.float32)
    for axis in (0, 1):
        for _ in range(3):
            padded = np.concatenate(
                [np.repeat(np.take(f, [0], axis), radius + 1, axis), f, np.repeat(np.take(f, [-1], axis), radius, axis)], axis
            )
            total = padded.cumsum(axis)
            n = f.shape[axis]
            span = 2 * radius + 1
            f = (np.take(total, range(span, span + n), axis) - np.take(total, range(0, n), axis)) / span
    return f.astype(np.uint8)


class Walker:
    """A person (in a parking area: a car) who goes to and fro between two points of the picture."""

    def __init__(self, rng, outdoor):
        self.x0, self.x1 = rng.uniform(0.05, 0.35), rng.uniform(0.6, 0.92)
        self.y0, self.y1 = rng.uniform(0.62, 0.9), rng.uniform(0.62, 0.9)
        self.period, self.phase = rng.uniform(14, 30), rng.uniform(0, 30)
        self.luma, self.u, self.v = rng.choice([(205, 128, 126), (70, 140, 118), (96, 118, 150), (150, 150, 112), (56, 128, 128)])
        self.tall = 0.16 if outdoor else 0.30

    def place(self, at_s):
        turn = ((at_s + self.phase) / self.period) % 2
        share = turn if turn < 1 else 2 - turn
        return self.x0 + (self.x1 - self.x0) * share, self.y0 + (self.y1 - self.y0) * share


class Picture:
    """Composes the frames of one camera at one size. `spec`: number, name, scene, width, height."""

    def __init__(self, spec):
        self.number, self.width, self.height = spec["number"], spec["width"], spec["height"]
        rng = random.Random(spec["number"] * 7919)
        rgb = scene.background(self.width, self.height, spec["scene"], spec["number"], spec["sign"])
        self.planes = to_i420(rgb)
        self.soft = None
        outdoor = spec["scene"] == "parking"
        self.walkers = [Walker(rng, outdoor) for _ in range(rng.randint(2, 4))]
        noise_rng = np.random.default_rng(spec["number"])
        self.noise = [noise_rng.integers(-2, 3, (self.height, self.width), np.int8).view(np.uint8) for _ in range(3)]
        size = max(10.0, self.height / 20)
        self.title = text_luma(spec["name"], size, pad=4)
        self.glyphs = {c: text_luma(c, size) for c in "0123456789-: ." + "星期" + WEEKDAYS}

    def clock(self, at_s):
        tenths = int(at_s * 10)
        t = time.gmtime(tenths // 10 + SITE_OFFSET_S)
        words = time.strftime("%Y-%m-%d ", t) + "星期" + WEEKDAYS[t.tm_wday] + time.strftime(" %H:%M:%S.", t) + str(tenths % 10)
        return np.concatenate([self.glyphs[c] for c in words], axis=1)

    def paste(self, y, u, v, luma, left, top):
        rows, cols = min(luma.shape[0], self.height - top), min(luma.shape[1], self.width - left)
        y[top : top + rows, left : left + cols] = luma[:rows, :cols]
        for plane in (u, v):
            plane[top // 2 : (top + rows) // 2, left // 2 : (left + cols) // 2] = 128

    def people(self, y, u, v, at_s):
        for w in self.walkers:
            cx, foot = w.place(at_s)
            h = int(w.tall * self.height * (0.45 + foot * 0.7)) // 2 * 2
            wide = max(4, h // 4 * 2 // 2)
            x, base = int(cx * self.width) // 2 * 2, int(foot * self.height) // 2 * 2
            top = max(0, base - h)
            head = h // 5
            y[top : top + head, x + wide // 4 : x + wide * 3 // 4] = 168
            y[top + head : base - h // 3, x : x + wide] = w.luma
            u[top // 2 : (top + head) // 2, (x + wide // 4) // 2 : (x + wide * 3 // 4) // 2] = 112
            v[top // 2 : (top + head) // 2, (x + wide // 4) // 2 : (x + wide * 3 // 4) // 2] = 148
            stride = int((at_s / STEP_S) % 2)
            legs = slice(base - h // 3, base)
            y[legs, x + stride * wide // 8 : x + wide // 2 - 1] = 52
            y[legs, x + wide // 2 + 1 : x + wide - stride * wide // 8] = 46
            for plane, value in ((u, w.u), (v, w.v)):
                plane[(top + head) // 2 : (base - h // 3) // 2, x // 2 : (x + wide) // 2] = value

    def frame(self, counter, at_s, mode="normal"):
        """One I420 frame as bytes. `at_s` is the camera's clock, epoch seconds; `mode` a picture fault."""
        if mode in ("black", "white"):
            level = 16 if mode == "black" else 235
            return bytes([level]) * (self.width * self.height) + bytes([128]) * (self.width * self.height // 2)
        if mode == "covered":
            y, u, v = (np.full_like(p, c) for p, c in zip(self.planes, (38, 126, 130)))
        elif mode == "blur":
            if self.soft is None:
                y, u, v = (p.copy() for p in self.planes)
                radius = max(4, self.height // 36)
                self.soft = (blurred(y, radius), blurred(u, radius // 2), blurred(v, radius // 2))
            y, u, v = (p.copy() for p in self.soft)
        else:
            y, u, v = (p.copy() for p in self.planes)
            self.people(y, u, v, at_s)
        if mode != "covered":
            y += self.noise[counter % 3]
        self.paste(y, u, v, self.title, 8, 8)
        clock = self.clock(at_s)
        self.paste(y, u, v, clock, max(0, (self.width - clock.shape[1] - 8) // 2 * 2), 8)
        high = self.height // 30
        cells = np.array([WHITE if b else BLACK for b in stamp_bits(counter, self.number)], np.uint8)
        y[self.height - high :] = np.repeat(cells, self.width // 40)[None, :]
        u[(self.height - high) // 2 :] = 128
        v[(self.height - high) // 2 :] = 128
        return b"".join((y.tobytes(), u.tobytes(), v.tobytes()))
