"""RTSP side of the simulated hospital: one GStreamer RTSP server per device address.

Spoken to by JSON lines. First line in: {"devices": [...]}; then {"id", "op": "state", "device", "state"} and
{"id", "op": "quit"}. Out: {"ready": true}, {"id", "ok"} answers, {"event", "device", ...}. Ends when stdin ends, so it
never outlives its parent. Run by Debian's /usr/bin/python3, which has the GStreamer bindings.
"""

import base64
import json
import os
import sys
import threading
import time

import gi

for module in ("Gst", "GstApp", "GstRtsp", "GstRtspServer"):
    gi.require_version(module, "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)  # before a class is derived: GStreamer's own types must be known by then
import pump  # noqa: E402
import replay  # noqa: E402

OUT_LOCK = threading.Lock()
PUMP = pump.Pump()
WRONG_PASSWORD = "the-device-has-forgotten-its-password"


def say(message):
    with OUT_LOCK:
        sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def encoder(spec):
    """The launch text from raw pictures to RTP for a stream's codec."""
    gop = max(1, round(spec["fps"] * spec["gopS"]))
    if spec["codec"] == "H265":
        return (
            f"x265enc speed-preset=ultrafast tune=zerolatency key-int-max={gop} bitrate={spec['bitrateKbps']} "
            'option-string="pools=none:frame-threads=1:log-level=none:scenecut=0" ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=0'
        )
    if spec["bFrames"]:
        tune, profile = f"bframes={spec['bFrames']} b-adapt=false rc-lookahead=0 sync-lookahead=0", "main"
    else:
        tune, profile = "tune=zerolatency", "baseline"
    return (
        f"x264enc {tune} speed-preset=ultrafast threads=1 key-int-max={gop} bitrate={spec['bitrateKbps']} "
        f'option-string="scenecut=0" ! video/x-h264,profile={profile} ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=0'
    )


# Sound comes from an appsrc as well: GStreamer's test source calls itself seekable, and PLAY then fails with 503.
AUDIO = {
    "G711": "alawenc ! rtppcmapay name=pay1 pt=8",
    "AAC": "voaacenc bitrate=32000 ! aacparse ! rtpmp4gpay name=pay1 pt=97",
}


def sound_launch(spec):
    rate = pump.SOUND_RATES[spec["audio"]]
    caps = f"audio/x-raw,format=S16LE,layout=interleaved,rate={rate},channels=1"
    return f"appsrc name=snd is-live=true format=time max-buffers=8 max-bytes=0 leaky-type=downstream caps={caps} ! {AUDIO[spec['audio']]}"


def live_launch(spec):
    video = (
        f"appsrc name=src is-live=true format=time do-timestamp=false block=false max-buffers=4 max-bytes=0 leaky-type=downstream "
        f"caps=video/x-raw,format=I420,width={spec['width']},height={spec['height']},framerate={spec['fps']}/1 ! {encoder(spec)}"
    )
    return f"( {video} {sound_launch(spec) if spec.get('audio') else ''} )"


def jpeg(stream):
    """A JPEG of the stream's picture now, made by GStreamer."""
    spec = stream.spec
    line = Gst.parse_launch(
        f"appsrc name=in format=time caps=video/x-raw,format=I420,width={spec['width']},height={spec['height']},framerate=1/1 "
        "! jpegenc quality=82 ! appsink name=out"
    )
    line.set_state(Gst.State.PLAYING)
    try:
        line.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped_bytes(GLib.Bytes.new(stream.now())))
        sample = line.get_by_name("out").emit("try-pull-sample", 2 * Gst.SECOND)
        if sample is None:
            raise RuntimeError("no JPEG in time")
        buffer = sample.get_buffer()
        return base64.b64encode(buffer.extract_dup(0, buffer.get_size())).decode()
    finally:
        line.set_state(Gst.State.NULL)


def permissions():
    p = GstRtspServer.RTSPPermissions.new()
    for right in ("media.factory.access", "media.factory.construct"):
        p.add_permission_for_role("viewer", right, True)
    return p


class CountingAuth(GstRtspServer.RTSPAuth):
    """Digest as GStreamer does it; tells of requests that carried credentials and were refused."""

    refused = None

    def do_authenticate(self, context):
        done = GstRtspServer.RTSPAuth.do_authenticate(self, context)
        had = context.request.get_header(GstRtsp.RTSPHeaderField.AUTHORIZATION, 0)[0] == GstRtsp.RTSPResult.OK
        if had and context.token is None:
            self.refused()
        return done


class Device:
    """One camera or NVR on the wire: its server, mounts and switchable state."""

    def __init__(self, spec):
        self.id, self.spec = spec["id"], spec
        self.state = {
            "online": True, "address": spec["address"], "refusePassword": False, "freeze": False, "picture": "normal",
            "clockSkewMs": 0, "stallAfterMs": None, "slowMs": 0,
        }  # fmt: skip
        self.source_id = 0
        self.clients = 0
        self.server = None
        self.streams = []
        self.factories = [self.live(s) for s in spec["streams"]] + [self.recorded(r) for r in spec["replays"]]
        self.open()

    def live(self, spec):
        stream = pump.Stream(spec, self.state)
        PUMP.streams.append(stream)
        self.streams.append(stream)
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(live_launch(spec))
        factory.set_shared(True)
        factory.set_permissions(permissions())
        factory.connect("media-configure", self.configure, stream)
        return spec["path"], factory

    def recorded(self, spec):
        factory = replay.factory(spec["file"], spec["startS"])
        factory.set_permissions(permissions())
        factory.connect("media-configure", self.guard)
        return spec["path"], factory

    def configure(self, factory, media, stream):
        bin_ = media.get_element()
        stream.attach(media, bin_.get_by_name("src"), bin_.get_by_name("snd"))
        media.connect("unprepared", lambda m: stream.detach(m))
        self.guard(factory, media)

    def guard(self, _factory, media):
        media.connect("prepared", self.gate)

    def gate(self, media):
        """Lets RTP out until the stall fault's time is over, counted from the media's first packet.

        Put behind rtpbin once the media is prepared, so that DESCRIBE always finds its picture.
        """
        pipeline = media.get_element().get_parent()
        rtpbin = next(e for e in pipeline.children if e.get_factory().get_name() == "rtpbin")
        started = []

        def check(_pad, _info):
            limit = self.state["stallAfterMs"]
            if not started:
                started.append(time.monotonic())
            late = limit is not None and (time.monotonic() - started[0]) * 1000 >= limit
            return Gst.PadProbeReturn.DROP if late else Gst.PadProbeReturn.OK

        for pad in rtpbin.srcpads:
            if pad.get_name().startswith("send_rtp_src"):
                pad.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, check)

    def open(self):
        """A fresh server on the state's address; mounts and their running pictures stay."""
        self.server = GstRtspServer.RTSPOnvifServer() if self.spec["replays"] else GstRtspServer.RTSPServer()
        self.server.set_address(self.state["address"])
        self.server.set_service(str(self.spec["port"]))
        self.server.set_auth(self.auth())
        mounts = self.server.get_mount_points()
        for path, factory in self.factories:
            mounts.add_factory(path, factory)
        self.server.connect("client-connected", self.connected)
        self.source_id = self.server.attach(None)
        if not self.source_id:
            raise RuntimeError(f"{self.id}: cannot listen on {self.state['address']}:{self.spec['port']}")

    def close(self):
        if self.source_id:
            GLib.Source.remove(self.source_id)
            self.source_id = 0
            self.server.client_filter(lambda _s, _c: GstRtspServer.RTSPFilterResult.REMOVE)

    def auth(self):
        auth = CountingAuth()
        auth.refused = lambda: self.tell("refused")
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.set_realm(self.spec["realm"])
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", "viewer")
        password = WRONG_PASSWORD if self.state["refusePassword"] else self.spec["password"]
        auth.add_digest(self.spec["user"], password, token)
        return auth

    def connected(self, _server, client):
        self.count(1)
        client.connect("closed", lambda _c: self.count(-1))
        client.connect("pre-describe-request", self.slow)
        client.connect("describe-request", lambda _c, _x: self.tell("describe"))
        client.connect("play-request", lambda _c, _x: self.tell("play"))

    def count(self, change):
        self.clients += change
        self.tell("clients", count=self.clients)

    def tell(self, event, **more):
        say({"event": event, "device": self.id, **more})

    def slow(self, _client, _context):
        time.sleep(self.state["slowMs"] / 1000)  # this client's thread only serves this device
        return GstRtsp.RTSPStatusCode.OK

    def apply(self, state):
        before = dict(self.state)
        self.state.update(state)
        moved = before["address"] != self.state["address"]
        if (moved or not self.state["online"]) and self.source_id:
            self.close()
        if self.state["online"] and not self.source_id:
            self.open()
        elif before["refusePassword"] != self.state["refusePassword"]:
            self.server.set_auth(self.auth())


def main():
    devices = {d["id"]: Device(d) for d in json.loads(sys.stdin.readline())["devices"]}
    PUMP.start()
    loop = GLib.MainLoop()

    def handle(command):
        answer = {"id": command["id"], "ok": True}
        try:
            device = devices[command["device"]]
            if command["op"] == "snapshot":
                answer["jpeg"] = jpeg(next(s for s in device.streams if s.spec["path"] == command["path"]))
            else:
                device.apply(command["state"])
        except Exception as error:  # told to the parent, which raises it in the caller
            answer = {"id": command["id"], "ok": False, "error": str(error)}
        say(answer)
        return False

    def listen():
        for line in sys.stdin:
            GLib.idle_add(handle, json.loads(line))
        os._exit(0)  # the parent closed the pipe or died

    threading.Thread(target=listen, daemon=True).start()
    say({"ready": True})
    loop.run()


main()
