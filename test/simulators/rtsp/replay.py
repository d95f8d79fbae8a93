"""ONVIF replay (Profile G) of MP4 files whose time 0 is the archive's start.

GStreamer's RTSPOnvifServer takes `Require: onvif-replay`, `Range: clock=` and `Rate-Control`, and
rtponviftimestamp puts the UTC of each packet into the 0xABAC header extension.
Source: ONVIF Streaming Specification §6 (playback).
"""

import calendar
import time

from gi.repository import GstRtsp, GstRtspServer

NTP_EPOCH_S = 2208988800  # from 1900 to 1970
UNIT, TIME = GstRtsp.RTSPRangeUnit, GstRtsp.RTSPTimeType


class ReplayMedia(GstRtspServer.RTSPOnvifMedia):
    """Translates between the UTC times of a Range header and the file's own seconds."""

    start_s = 0  # one archive, so one start for all files; set before the first mount is made

    def do_convert_range(self, span, unit):
        if span.unit == unit:
            return True
        for point, date in ((span.min, span.min2), (span.max, span.max2)):
            if unit == UNIT.NPT and point.type == TIME.UTC:
                point.seconds += calendar.timegm((date.year, date.month, date.day, 0, 0, 0)) - self.start_s
                point.type = TIME.SECONDS
            elif unit == UNIT.CLOCK and point.type == TIME.SECONDS:
                at = self.start_s + point.seconds
                utc = time.gmtime(int(at))
                date.year, date.month, date.day = utc[:3]
                point.seconds = utc.tm_hour * 3600 + utc.tm_min * 60 + utc.tm_sec + at - int(at)
                point.type = TIME.UTC
        span.unit = unit
        return True


def factory(file, start_s):
    ReplayMedia.start_s = start_s
    f = GstRtspServer.RTSPOnvifMediaFactory()
    f.set_replay_support(True)
    f.set_shared(False)
    f.set_media_gtype(ReplayMedia.__gtype__)
    # Whole-second seeks failed with drop-out-of-segment at its default, so it is off.
    f.set_launch(
        f'( filesrc location="{file}" ! qtdemux ! queue ! h264parse ! rtph264pay name=pay pt=96 config-interval=-1 '
        f"! rtponviftimestamp name=pay0 drop-out-of-segment=false ntp-offset={(start_s + NTP_EPOCH_S) * 10**9} )"
    )
    return f
