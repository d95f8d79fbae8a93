"""Makes the NVR's footage: per channel one MP4 whose time 0 is the archive's start and which jumps over the gap.

One argument, JSON: {folder, startS, fps, width, height, parts: [[fromS, untilS], ...], channels: [...]}. Frames are
composed by picture.py and encoded by ffmpeg; the counter in the stamp counts frame periods since the archive's start.
"""

import json
import os
import subprocess
import sys

from picture import Picture

PARENT = os.getppid()


def encode(picture, plan, part, path):
    """One part without a gap, key frame every second, no B-frames."""
    size = f"{plan['width']}x{plan['height']}"
    fps = plan["fps"]
    command = ["ffmpeg", "-y", "-nostdin", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(fps)]
    command += ["-i", "pipe:0", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "30", "-g", str(fps)]
    command += ["-threads", "1", "-video_track_timescale", "90000", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        for counter in range(round(part[0] * fps), round(part[1] * fps)):
            if os.getppid() != PARENT:
                raise SystemExit("the parent is gone")
            ffmpeg.stdin.write(picture.frame(counter, plan["startS"] + counter / fps))
    if ffmpeg.returncode != 0:
        raise SystemExit(f"ffmpeg ended with {ffmpeg.returncode}")


def main():
    plan = json.loads(sys.argv[1])
    for channel in plan["channels"]:
        base = os.path.join(plan["folder"], str(channel["number"]))
        picture = Picture({**channel, "width": plan["width"], "height": plan["height"]})
        lines = ["ffconcat version 1.0"]
        for index, part in enumerate(plan["parts"]):
            encode(picture, plan, part, f"{base}-{index}.mp4")
            following = plan["parts"][index + 1][0] if index + 1 < len(plan["parts"]) else part[1]
            lines += [f"file '{base}-{index}.mp4'", f"duration {following - part[0]}"]
        with open(f"{base}.ffconcat", "w", encoding="utf8") as listing:
            listing.write("\n".join(lines))
        command = ["ffmpeg", "-y", "-nostdin", "-loglevel", "error", "-f", "concat", "-safe", "0", "-i", f"{base}.ffconcat"]
        subprocess.run([*command, "-c", "copy", "-video_track_timescale", "90000", f"{base}.mp4"], check=True)
        for index in range(len(plan["parts"])):
            os.remove(f"{base}-{index}.mp4")
        os.remove(f"{base}.ffconcat")


main()
