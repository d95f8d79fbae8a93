"""Makes the frames that are being read, at their pace, in one thread for all cameras."""

import threading
import time

import numpy as np
from gi.repository import GLib, Gst

from picture import Picture

SOUND_RATES = {"G711": 8000, "AAC": 16000}  # samples per second, mono
MAX_DRIFT_NS = Gst.SECOND
EPOCH = time.monotonic()  # frame counters start with the process


class Stream:
    """One mount's picture source: main or sub of one channel. Encodes only while some media is attached."""

    def __init__(self, spec, state):
        self.spec, self.state = spec, state  # state: the device's switchable behaviour, shared by its streams
        self.fps, self.counter_fps = spec["fps"], spec["counterFps"]
        self.lag = (spec["number"] % 16) / 16 / self.fps  # so that cameras do not all encode at the same moment
        self.picture = None
        self.sources = {}  # media -> [picture appsrc, sound appsrc or None, first tick, base running time in ns]
        self.held = None
        self.last_tick = -1

    def attach(self, media, appsrc, sound):
        self.sources[media] = [appsrc, sound, None, 0]

    def detach(self, media):
        self.sources.pop(media, None)

    def due(self, now):
        return int((now - EPOCH - self.lag) * self.fps) > self.last_tick

    def tick(self, now):
        self.last_tick = tick = int((now - EPOCH - self.lag) * self.fps)
        data = self.compose(tick)
        for entry in list(self.sources.values()):
            self.push(entry, tick, data)

    def compose(self, tick):
        """The frame of that tick as I420 bytes; while frozen, the last one again."""
        if self.picture is None:
            self.picture = Picture(self.spec)
        if not self.state["freeze"] or self.held is None:
            clock = time.time() + self.state["clockSkewMs"] / 1000
            self.held = self.picture.frame(tick * self.counter_fps // self.fps, clock, self.state["picture"])
        return self.held

    def now(self):
        return self.compose(int((time.monotonic() - EPOCH - self.lag) * self.fps))

    def push(self, entry, tick, data):
        appsrc, sound, first, base = entry
        # Only a playing pipeline has its final base time: a moment earlier there is a clock but the base is still 0,
        # and a picture stamped with that would wait in the sink for as long as the machine has been up.
        if appsrc.get_state(0)[1] != Gst.State.PLAYING:
            return
        running = max(0, appsrc.get_clock().get_time() - appsrc.get_base_time())
        step = Gst.SECOND // self.fps
        if first is None or abs(base + (tick - first) * step - running) > MAX_DRIFT_NS:
            first, base = tick, running  # the first frame, or the first after a pause, in which running time stood still
            entry[2:] = [first, base]
        self.give(appsrc, data, base + (tick - first) * step, step)
        if sound is not None:
            self.give(sound, self.murmur(tick), base + (tick - first) * step, step)

    def give(self, appsrc, data, pts, duration):
        buffer = Gst.Buffer.new_wrapped_bytes(GLib.Bytes.new(data))
        buffer.pts, buffer.duration = pts, duration
        appsrc.emit("push-buffer", buffer)

    def murmur(self, tick):
        """One frame's worth of room noise with a soft two-tone chime every five seconds, S16LE mono."""
        rate = SOUND_RATES[self.spec["audio"]]
        count = rate // self.fps
        at = (np.arange(count) + tick * count) / rate
        wave = np.random.default_rng(tick).normal(0, 180, count)
        since = at % 5
        wave += 3000 * np.exp(-4 * since) * np.sin(2 * np.pi * np.where(since < 0.4, 659.0, 523.0) * at)
        return wave.astype("<i2").tobytes()


class Pump(threading.Thread):
    """Ticks every stream that has a reader. Late ticks are skipped: the counter follows time, not the work done."""

    def __init__(self):
        super().__init__(daemon=True)
        self.streams = []

    def run(self):
        while True:
            for stream in list(self.streams):
                now = time.monotonic()
                if stream.sources and stream.due(now):
                    stream.tick(now)
            time.sleep(0.004)
